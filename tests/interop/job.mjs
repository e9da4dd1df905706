// The whole job, as people would do it: two pages and a Yjs program edit one production, part, come back, decide; a
// second laptop brings its own value on a stick; the node is killed. Prints one JSON line per step; throws at a fault.
//
//   node job.mjs PYTHON FOLDER CHROMIUM
import assert from 'node:assert/strict'
import { spawn, execFile } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const { chromium } = createRequire(new URL('../../client/package.json', import.meta.url))('playwright-core')
const [python, folder, executablePath] = process.argv.slice(2)
const production = path.join(folder, 'hamlet.openprod')
const stick = (name) => path.join(folder, name)
const LX_42 = 'Ghost face reveals'

const step = (name, facts = {}) => console.log(JSON.stringify({ step: name, ...facts }))
const env = (home) => ({ ...process.env, OPENPROD_HOME: path.join(folder, home), OPENPROD_TOKEN: 'owner-token', OPENPROD_USER: home })
const openprod = async (home, ...args) => {
  const { stdout } = await promisify(execFile)(python, ['-m', 'openprod.cli.main', ...args], { env: env(home) })
  return stdout
}

async function serve(...args) {
  const child = spawn(python, ['-m', 'openprod.cli.main', ...args, '--no-browser'], { env: env('Robin') })
  let said = ''
  child.stderr.on('data', (data) => (said += data))
  for await (const line of child.stdout) {
    const found = /listening on (http:\/\/\S+)/.exec(String(line))
    if (found) return { child, address: found[1] }
  }
  throw new Error(`the node ended before it was ready: ${said}`)
}

let node = await serve('demo', '--dir', production, '--port', '0')
const port = new URL(node.address).port
const api = async (method, call, body, token = 'owner-token') => {
  const response = await fetch(`${node.address}/api/v1${call}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = await response.json()
  assert.ok(response.ok, `${method} ${call}: ${JSON.stringify(answer)}`)
  return answer
}
const token = async (name) => (await api('POST', '/tokens', { label: name, name, role: 'editor' })).token

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
async function page(name) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } })
  const opened = await context.newPage()
  opened.on('pageerror', (error) => { throw error })
  await opened.goto(`${node.address}/#token=${await token(name)}`)
  await opened.getByTestId('filter').fill(LX_42)
  await opened.locator('[role=gridcell][data-field=start]').first().waitFor()
  return { context, page: opened, cell: opened.locator('[role=gridcell][data-field=start]').first() }
}
async function type(person, text) {
  await person.cell.click()
  await person.page.keyboard.type(text)
  await person.page.keyboard.press('Enter')
}
const shows = (person, text) => person.page.waitForFunction(
  (wanted) => document.querySelector('[role=gridcell][data-field=start]')?.textContent?.includes(wanted), text)
const saved = (person) => person.page.locator('[data-testid=save-state][data-state=saved]').waitFor()
const openConflicts = async () => (await api('GET', '/conflicts?status=open')).conflicts

try {
  // 1 · two pages
  const alex = await page('Alex')
  const jordan = await page('Jordan')
  await jordan.page.getByTestId('presence').getByText('Alex').first().waitFor({ state: 'attached' })
  await type(alex, '10:20')
  await shows(jordan, '10:20')
  await alex.cell.click()
  await jordan.page.locator('[role=gridcell][data-field=start].peopled').waitFor()
  await saved(alex)
  step('two pages see each other')

  // 2 · a plain Yjs program that knows only the layout
  const script = await token('Sam')
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}/yjs/-`, 'cues', doc,
    { WebSocketPolyfill: WebSocket, params: { token: script }, disableBc: true })
  await new Promise((resolve) => provider.once('sync', resolve))
  const cues = doc.getMap('cues.cue')
  const listed = [...cues.keys()].filter((key) => !key.includes('/') && cues.get(key) === true)
  assert.ok(listed.length >= 120, `${listed.length} cues`)
  const cue = listed.find((id) => cues.get(`${id}/list`) === 'LX' && cues.get(`${id}/number`) === '42')
  assert.ok(cue, 'LX 42 is there')
  cues.set(`${cue}/start`, '10:25')
  await shows(alex, '10:25')
  doc.transact(() => {
    for (const [key, value] of Object.entries({ '': true, '/list': 'LX', '/number': '900', '/label': 'Added by a program' })) {
      cues.set(`cue_program${key}`, value)
    }
  })
  await alex.page.getByTestId('filter').fill('Added by a program')
  await alex.page.getByText('Added by a program').first().waitFor()
  await alex.page.getByTestId('filter').fill(LX_42)
  await alex.cell.waitFor()
  step('a Yjs program lists, changes, adds', { cues: listed.length })

  // a whole team at once leaves the sheets' names their room
  const crowd = Array.from({ length: 8 }, (_, at) => {
    const one = new WebsocketProvider(`ws://127.0.0.1:${port}/yjs/-`, 'cues', new Y.Doc(),
      { WebSocketPolyfill: WebSocket, params: { token: script }, disableBc: true })
    one.awareness.setLocalStateField('user', { name: `Featherstonehaugh ${at}`, color: '#ffff00' })
    return one
  })
  await jordan.page.getByTestId('presence').getByText('Featherstonehaugh 7').waitFor({ state: 'attached' })
  const tabs = await jordan.page.locator('nav').first().evaluate((nav) => nav.clientWidth)
  assert.ok(tabs >= 200, `the sheets' names have ${tabs} px`)
  for (const one of crowd) one.destroy()

  // the second laptop leaves with a copy
  await openprod('Robin', 'backup', production, stick('copy.openprod'))
  await openprod('Kim', 'restore', stick('copy.openprod'), stick('laptop.openprod'))

  // 3 · both go offline, both change the same field, both come back
  await saved(alex)
  provider.disconnect()
  await alex.context.setOffline(true)
  await alex.page.evaluate(() => window.dispatchEvent(new Event('offline')))
  await type(alex, '10:30')
  cues.set(`${cue}/start`, '10:45')
  assert.deepEqual(await openConflicts(), [])
  provider.connect()
  await alex.context.setOffline(false)
  await shows(jordan, '10:')
  await jordan.page.locator('[role=gridcell][data-field=start].flagged').waitFor()
  await alex.page.locator('[role=gridcell][data-field=start].flagged').waitFor()
  const [conflict, ...others] = await openConflicts()
  assert.equal(others.length, 0)
  for (const word of ['LX 42', 'start time', 'Alex', '10:30', 'Sam', '10:45', 'without seeing each other']) {
    assert.ok(conflict.sentence.includes(word), `${word} in: ${conflict.sentence}`)
  }
  const shown = await jordan.cell.textContent()
  assert.ok(shown.includes(cues.get(`${cue}/start`)), 'the page shows what every Yjs program shows')
  await jordan.page.getByTestId('inbox-button').click()
  await jordan.page.getByTestId('conflict-inbox').getByText(conflict.sentence).first().waitFor()
  await jordan.page.screenshot({ path: stick('conflict.png') })
  step('the field is flagged and said in words', { sentence: conflict.sentence })

  // 4 · a decision closes it everywhere
  await jordan.page.getByTestId('conflict-inbox').getByText(conflict.sentence).first().click()
  await jordan.page.getByTestId('choose').first().waitFor()
  await jordan.page.screenshot({ path: stick('choice.png') })
  const chosen = conflict.candidates.findIndex((candidate) => candidate.value === '10:30')
  await jordan.page.getByTestId('candidates').locator('li').filter({ hasText: '10:30' }).getByTestId('choose').first().click()
  await alex.page.waitForFunction(() => !document.querySelector('[role=gridcell][data-field=start].flagged'))
  await shows(alex, '10:30')
  assert.deepEqual(await openConflicts(), [])
  assert.equal(cues.get(`${cue}/start`), '10:30')
  step('the decision closes it everywhere', { chosen })

  // the laptop that was away all the time brings its own value on a stick
  await openprod('Kim', 'query', stick('laptop.openprod'), 'cues.cue where list = LX and number = 42', '--json')
  const laptop = await serveLaptop()
  await openprod('Kim', 'pack', stick('laptop.openprod'), '-o', stick('kim.pack'))
  const plan = JSON.parse(await openprod('Robin', 'merge', production, stick('kim.pack'), '--json'))
  assert.equal(plan.bundles, laptop.bundles)
  assert.equal(plan.conflicts.length, 1)
  assert.deepEqual(await openConflicts(), [], 'a plan changes nothing')
  await openprod('Robin', 'merge', production, stick('kim.pack'), '--apply')
  const [reopened] = await openConflicts()
  assert.equal(reopened.id, conflict.id)
  assert.equal(reopened.reopened, true)
  assert.ok(reopened.sentence.includes('11:00') && reopened.sentence.includes('Kim'), reopened.sentence)
  await jordan.page.locator('[role=gridcell][data-field=start].flagged').waitFor()
  step('the stick reopens it', { sentence: reopened.sentence })

  const kims = reopened.candidates.find((candidate) => candidate.value === '11:00')
  await api('POST', `/conflicts/${conflict.id}/resolutions`, { choose: kims.version, heads: reopened.heads })
  await shows(jordan, '11:00')
  await api('POST', `/conflicts/${conflict.id}/resolutions`, { value: '11:15' })
  await shows(jordan, '11:15')
  const history = await api('GET', `/history/${cue}`)
  const start = history.fields.find((field) => field.field === 'start')
  for (const value of ['10:30', '10:45', '11:00', '11:15']) {
    assert.ok(start.versions.some((version) => version.value === value && version.author && version.device && version.at), value)
  }
  step('the decision is changed, the history shows all of it', { versions: start.versions.length })

  // 5 · kill -9
  const before = (await api('GET', '/state-hash')).hash ?? (await api('GET', '/state-hash')).state_hash
  node.child.kill('SIGKILL')
  await once(node.child, 'exit')
  await jordan.page.getByTestId('offline-banner').waitFor()
  await jordan.page.screenshot({ path: stick('offline.png') })
  node = await serve('serve', production, '--port', port)
  const after = (await api('GET', '/state-hash')).hash ?? (await api('GET', '/state-hash')).state_hash
  assert.equal(after, before)
  await saved(jordan)
  await type(jordan, '12:00')
  await shows(alex, '12:00')
  step('killed, restarted, the same state', { hash: after })
  provider.destroy()
} finally {
  await browser.close()
  node.child.kill('SIGTERM')
}
process.exit(0)

async function serveLaptop() {
  const child = spawn(python, ['-m', 'openprod.cli.main', 'serve', stick('laptop.openprod'), '--port', '0', '--no-browser'], { env: env('Kim') })
  const lines = child.stdout[Symbol.asyncIterator]()
  const address = /listening on (http:\/\/\S+)/.exec(String((await lines.next()).value))[1]
  const headers = { authorization: 'Bearer owner-token', 'content-type': 'application/json' }
  const found = await (await fetch(`${address}/api/v1/query`, {
    method: 'POST', headers, body: JSON.stringify({ facet: 'cues.cue', where: { list: 'LX', number: '42' } }),
  })).json()
  const operations = [{ op: 'set_field', entity: found.rows[0][0], facet: 'cues.cue', field: 'start', value: '11:00' }]
  const committed = await fetch(`${address}/api/v1/bundles`, { method: 'POST', headers, body: JSON.stringify({ operations }) })
  assert.ok(committed.ok, await committed.text())
  child.kill('SIGTERM')
  await once(child, 'exit')
  return { bundles: 1 }
}
