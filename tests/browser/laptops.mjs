// A laptop with its node and its pages, for the scripts beside this one. Arguments: PYTHON FOLDER CHROMIUM.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

const { chromium } = createRequire(new URL('../../client/package.json', import.meta.url))('playwright-core')
const [python, folder, executablePath] = process.argv.slice(2)
const nodes = []
let browser = null

export const step = (name) => console.log(JSON.stringify({ step: name }))

export class Laptop {
  constructor(person, environment = {}) {
    this.person = person
    this.folder = path.join(folder, person)
    mkdirSync(this.folder)
    this.show = path.join(this.folder, 'hamlet.openprod')
    this.token = `token-of-${person}`
    this.env = { ...process.env, OPENPROD_HOME: path.join(this.folder, 'home'), OPENPROD_TOKEN: this.token, OPENPROD_USER: person, ...environment }
  }

  command(...args) {
    return promisify(execFile)(python, ['-m', 'openprod.cli.main', ...args], { env: this.env })
  }

  /** A node, until it answers; `answers` are what somebody types at its terminal. */
  async start(answers, ...args) {
    const child = spawn(python, ['-m', 'openprod.cli.main', ...args], { env: this.env })
    nodes.push(child)
    this.node = child
    this.said = ''
    child.stderr.on('data', (data) => (this.said += data))
    child.stdin.write(answers)
    this.address = await new Promise((resolve, reject) => {
      let printed = ''
      child.stdout.on('data', (data) => {
        printed += data
        const found = /listening on (http:\/\/\S+)\n/.exec(printed)
        if (found) resolve(found[1])
      })
      child.once('exit', () => reject(new Error(`${this.person}'s node ended: ${this.said}`)))
    })
  }

  async call(method, call, body) {
    const response = await fetch(`${this.address}/api/v1${call}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer = await response.json()
    assert.ok(response.ok, `${method} ${call}: ${JSON.stringify(answer)}`)
    return answer
  }

  async open(token = this.token) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    const page = await context.newPage()
    page.setDefaultTimeout(Number(process.env.PATIENCE_MS ?? 60_000))
    page.on('pageerror', (error) => { throw error })
    await page.goto(`${this.address}/#token=${token}`)
    await page.getByTestId('sheet').waitFor()
    return page
  }
}

export const saved = (page) => page.locator('[data-testid=save-state][data-state=saved]').waitFor()
export const cell = (page, entity, field) => page.locator(`[data-entity=${entity}] [data-field=${field}]`)
export const holds = (page, entity, field, text) => cell(page, entity, field).locator('.text').getByText(text, { exact: true }).waitFor()
export async function type(page, entity, field, text) {
  await cell(page, entity, field).click()
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await saved(page)
}
export const standing = (page, name, how) => page.locator(`[data-testid=devices] [data-standing="${how}"]`).getByText(name, { exact: true }).waitFor()
export const alone = (page) => page.getByTestId('by-itself').waitFor()
export const confirm = (page) => page.locator('dialog').getByTestId('confirm').click()

/** What `job` does, in one browser; what the pages show is told where it fails, and everything ends with it. */
export async function run(job) {
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  })
  try {
    await job()
  } catch (error) {
    for (const context of browser.contexts()) {
      for (const page of context.pages()) console.error(await page.locator('body').innerText())
    }
    throw error
  } finally {
    await browser.close()
    for (const child of nodes) child.kill('SIGTERM')
  }
  process.exit(0)
}
