// Two laptops in their pages, with a node each: hosted, joined by the spoken code, names confirmed, an edit followed to
// the other device, apart and back by a plan that both approve, a member removed, ended. Prints one JSON line per step;
// throws at a fault.
//
//   node together.mjs PYTHON FOLDER CHROMIUM
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

const { chromium } = createRequire(new URL('../../client/package.json', import.meta.url))('playwright-core')
const [python, folder, executablePath] = process.argv.slice(2)
const step = (name) => console.log(JSON.stringify({ step: name }))
const nodes = []

class Laptop {
  constructor(person) {
    this.person = person
    this.folder = path.join(folder, person)
    mkdirSync(this.folder)
    this.show = path.join(this.folder, 'hamlet.openprod')
    this.token = `token-of-${person}`
    this.env = { ...process.env, OPENPROD_HOME: path.join(this.folder, 'home'), OPENPROD_TOKEN: this.token, OPENPROD_USER: person }
  }

  command(...args) {
    return promisify(execFile)(python, ['-m', 'openprod.cli.main', ...args], { env: this.env })
  }

  /** A node, until it answers; `answers` are what somebody types at its terminal. */
  async start(answers, ...args) {
    const child = spawn(python, ['-m', 'openprod.cli.main', ...args], { env: this.env })
    nodes.push(child)
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
    page.setDefaultTimeout(60_000)
    page.on('pageerror', (error) => { throw error })
    await page.goto(`${this.address}/#token=${token}`)
    await page.getByTestId('sheet').waitFor()
    return page
  }
}

const saved = (page) => page.locator('[data-testid=save-state][data-state=saved]').waitFor()
const cell = (page, entity, field) => page.locator(`[data-entity=${entity}] [data-field=${field}]`)
const holds = (page, entity, field, text) => cell(page, entity, field).locator('.text').getByText(text, { exact: true }).waitFor()
async function type(page, entity, field, text) {
  await cell(page, entity, field).click()
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await saved(page)
}
const standing = (page, name, how) => page.locator(`[data-testid=devices] [data-standing=${how}]`).getByText(name, { exact: true }).waitFor()
const alone = (page) => page.getByTestId('by-itself').waitFor()
const confirm = (page) => page.locator('dialog').getByTestId('confirm').click()

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
try {
  const alex = new Laptop('Alex')
  const sound = new Laptop('Sound')
  await alex.command('new', alex.show, '--name', 'Hamlet', '--plugin', 'cues')
  await alex.start('', 'serve', alex.show, '--port', '0', '--no-browser')
  await alex.call('POST', '/bundles', {
    operations: ['1', '2', '3'].map((number) => (
      { op: 'create_entity', entity: `q${number}`, facets: { 'cues.cue': { list: 'LX', number, label: `State ${number}` } } })),
  })
  const one = await alex.open()
  await one.getByTestId('together-button').click()
  await alone(one)
  assert.equal(await one.getByTestId('reach').count(), 0)

  // 1 · hosted: a link, the same as squares, and words to say
  await one.getByTestId('host').click()
  await one.getByTestId('qr').waitFor()
  await standing(one, 'Alex', 'leads')
  const link = await one.getByTestId('invite-link').inputValue()
  assert.match(link, /^openprod:\/\/join\//)
  const squares = await one.getByTestId('qr').locator('path').getAttribute('d')
  assert.ok(squares.length > 500)
  const words = await one.getByTestId('spoken-code').textContent()
  assert.match(words, /^[a-z]+ [a-z]+ [a-z]+$/)
  await one.getByTestId('reach').getByText('on no other device yet').waitFor()
  step('hosted in the page')

  // 2 · the other knows the code; each side is asked whom it sees
  const place = link.split('/').at(-1).split(',')[0]
  const came = sound.start('y\ny\n', 'join', words, sound.show, '--at', place, '--peer-port', '0', '--port', '0')
  const newcomer = one.getByTestId('newcomer')
  await newcomer.getByText('Sound', { exact: true }).waitFor()
  assert.match(await newcomer.getByTestId('approve').getAttribute('aria-label'), /^Let in: Sound/)
  await newcomer.getByTestId('approve').click()
  await came
  const two = await sound.open() // perhaps before anything has come: the sheets show by themselves
  await standing(one, 'Sound', 'here')
  assert.match(sound.said, /hosted by Alex/)
  assert.equal(await one.getByTestId('invitation').count(), 0)
  await two.getByTestId('together-button').click()
  await standing(two, 'Alex', 'leads')
  await holds(two, 'q1', 'label', 'State 1')
  step('joined by the code, once both had said yes')

  // 3 · an edit and how far it has come
  await type(one, 'q1', 'label', 'House to half')
  await holds(two, 'q1', 'label', 'House to half')
  await one.locator('[data-testid=reach][data-devices="1"]').getByText('on 1 other device').waitFor()
  await type(two, 'q2', 'label', 'Thunder')
  await holds(one, 'q2', 'label', 'Thunder')
  await two.getByTestId('reach').getByText('on the leader').waitFor()
  await cell(one, 'q1', 'label').click()
  await one.getByTestId('open-history').click()
  await one.getByTestId('history').getByTestId('edit-reach').getByText('here, on 1 other device').first().waitFor()
  step('an edit says where it is')

  // 4 · apart
  await one.getByTestId('together-button').click()
  await two.getByTestId('leave').click()
  await confirm(two)
  await alone(two)
  await one.locator('[data-testid=devices] li').nth(1).waitFor({ state: 'detached' })
  for (const text of ['Blackout', 'Blackout, slowly']) await type(one, 'q3', 'label', text)
  await type(two, 'q3', 'label', 'Restore')
  await one.getByTestId('reach').getByText('on no other device yet').waitFor()
  await one.getByTestId('alone').getByText('2 edits of this device are only here').waitFor()
  await two.getByTestId('alone').getByText('1 edit of this device is only here').waitFor()
  step('left, and each goes on')

  // 5 · back: both are shown what would happen, both say yes
  await two.getByTestId('rejoin').click()
  await two.getByTestId('plan').getByText('2 changes from Alex, 1 from you, 1 conflict to come.').waitFor()
  await one.getByTestId('plan').getByText('1 change from Sound, 2 from you, 1 conflict to come.').waitFor()
  await one.getByTestId('notice').getByText('waits for your word').waitFor()
  assert.equal(await cell(one, 'q3', 'label').locator('.text').textContent(), 'Blackout, slowly')
  await two.getByTestId('approve').click()
  await one.getByTestId('approve').click()
  for (const page of [one, two]) {
    await page.locator('[data-entity=q3] [data-field=label].flagged').waitFor()
    await page.getByTestId('plan').waitFor({ state: 'detached' })
  }
  assert.equal((await alex.call('GET', '/state-hash')).hash, (await sound.call('GET', '/state-hash')).hash)
  step('both approved, and both have the same conflict')

  // 6 · access that only looks is told so, and offered nothing
  const { token } = await alex.call('POST', '/tokens', { label: 'Board', name: 'Board', role: 'viewer' })
  const viewer = await alex.open(token)
  await viewer.getByTestId('together-button').click()
  await viewer.getByTestId('barred').getByText('needs the owner’s link').waitFor()
  await standing(viewer, 'Sound', 'here')
  for (const id of ['leave', 'end', 'let-in', 'remove-member']) assert.equal(await viewer.getByTestId(id).count(), 0, id)
  await viewer.getByTestId('inbox-button').click()
  await viewer.getByTestId('conflict-sentence').first().click()
  assert.ok(await viewer.getByTestId('choose').first().isDisabled())
  const { token: scoped } = await alex.call('POST', '/tokens', { label: 'Desk', name: 'Desk', role: 'editor', document: 'cues' })
  const desk = await alex.open(scoped)
  await desk.getByTestId('inbox-button').click()
  await desk.getByText('Whether people disagree isn’t known here.').waitFor()
  await desk.getByTestId('together-button').click()
  await desk.getByTestId('barred').getByText(/./).waitFor()
  step('a viewer sees who is here, and no more')

  // 7 · removed: let go, and refused in words
  await one.getByTestId('remove-member').click()
  await one.locator('dialog').getByText('held for your review').waitFor()
  await confirm(one)
  await two.getByTestId('removed').getByText('This device was removed').waitFor()
  await two.getByTestId('happened').getByText('Alex is gone: This device was removed').waitFor()
  await standing(one, 'Sound', 'away')
  await two.locator('[data-testid=save-state][data-state=readOnly]').waitFor()
  await cell(two, 'q2', 'label').click()
  await two.keyboard.type('Not any more')
  await two.getByTestId('notice').getByText('This device was removed').waitFor()
  await holds(two, 'q2', 'label', 'Thunder')
  step('a removed device is told so')

  // 8 · ended; away from the node the panel says what it needs
  await one.getByTestId('end').click()
  await confirm(one)
  await alone(one)
  nodes[0].kill('SIGKILL')
  await one.getByTestId('barred').getByText('This needs the node').waitFor()
  assert.ok(await one.getByTestId('host').isDisabled())
  step('ended, and away')
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
