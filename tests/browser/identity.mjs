// One person in two sheets, in the page: a concept is defined and bound, two rows are said to be one, the disagreement
// is decided, one value is edited in either place, unbound; two rows are merged and split. Prints one JSON line per
// step; throws at a fault.
//
//   node identity.mjs PYTHON FOLDER CHROMIUM
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

const { chromium } = createRequire(new URL('../../client/package.json', import.meta.url))('playwright-core')
const [python, folder, executablePath] = process.argv.slice(2)
const production = path.join(folder, 'hamlet.openprod')
const env = { ...process.env, OPENPROD_HOME: path.join(folder, 'home'), OPENPROD_TOKEN: 'owner-token', OPENPROD_USER: 'Robin' }
const step = (name) => console.log(JSON.stringify({ step: name }))
const picture = (name) => path.join(folder, `${name}.png`)

const plugins = ['contacts', 'schedule', 'cues'].flatMap((name) => ['--plugin', name])
await promisify(execFile)(python, ['-m', 'openprod.cli.main', 'new', production, '--name', 'Hamlet', ...plugins], { env })

async function serve(port) {
  const child = spawn(python, ['-m', 'openprod.cli.main', 'serve', production, '--port', port, '--no-browser'], { env })
  let said = ''
  child.stderr.on('data', (data) => (said += data))
  for await (const line of child.stdout) {
    const found = /listening on (http:\/\/\S+)/.exec(String(line))
    if (found) return { child, address: found[1] }
  }
  throw new Error(`the node ended before it was ready: ${said}`)
}

let node = await serve('0')
const { port } = new URL(node.address)
async function api(method, call, body) {
  const response = await fetch(`${node.address}/api/v1${call}`, {
    method,
    headers: { authorization: 'Bearer owner-token', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = await response.json()
  assert.ok(response.ok, `${method} ${call}: ${JSON.stringify(answer)}`)
  return answer
}
const create = (entity, facet, fields) => ({ op: 'create_entity', entity, facets: { [facet]: fields } })
await api('POST', '/bundles', {
  operations: [
    create('john', 'contacts.person', { name: 'John Smith', phone: '0123', medical: 'Asthma' }),
    create('jane', 'contacts.person', { name: 'Jane Doe', email: 'jane@example.org', phone: '0777' }),
    create('jd', 'contacts.person', { name: 'J. Doe', phone: '0777', role: 'Stage manager' }),
    create('js', 'schedule.attendee', { displayName: 'J. Smith', role: 'Hamlet' }),
    create('choir', 'contacts.group', { name: 'Choir' }),
    { op: 'add_edge', edge: 'contacts.member_of', source: 'jd', target: 'choir' },
    create('q1', 'cues.cue', { list: 'LX', number: '1', label: 'House to half' }),
  ],
})

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const shows = (sheet) => sheet.getByTestId('sheet').waitFor()
async function open(name) {
  const { token } = await api('POST', '/tokens', { label: name, name, role: 'editor' })
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } })
  const page = await context.newPage()
  page.on('pageerror', (error) => { throw error })
  await page.goto(`${node.address}/#token=${token}`)
  await shows(page)
  await saved(page)
  return page
}
const saved = (page) => page.locator('[data-testid=save-state][data-state=saved]').waitFor()
const sheet = (page, plugin, facet) =>
  page.getByRole('group', { name: plugin, exact: true }).getByRole('button', { name: facet, exact: true }).click()
const cell = (page, entity, field) => page.locator(`[data-entity=${entity}] [data-field=${field}]`)
const holds = (page, entity, field, text) =>
  page.locator(`[data-entity=${entity}] [data-field=${field}] > .text`).getByText(text, { exact: true }).waitFor()
async function type(page, entity, field, text) {
  await cell(page, entity, field).click()
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
}
const confirm = async (page) => {
  await page.getByTestId('confirm').click()
  await page.locator('dialog').waitFor({ state: 'detached' })
}
async function history(page, entity, field) {
  await cell(page, entity, field).click()
  await page.getByTestId('open-history').click()
}

try {
  const alex = await open('Alex')
  const jordan = await open('Jordan')

  // 1 · a suggestion fills the form; nothing is defined before it is confirmed
  await alex.getByTestId('concepts-button').click()
  await alex.getByRole('button', { name: 'Look at the suggested concept Person' }).click()
  await alex.getByTestId('concept-name').waitFor()
  assert.deepEqual((await api('GET', '/concepts')).concepts, [])
  assert.equal(await alex.getByTestId('concept-field').count(), 3)
  await confirm(alex)
  await alex.getByTestId('concept').getByText('Name, Phone, Email').waitFor()
  step('a concept is defined')

  // 2 · one binding as suggested, one made by menus
  await alex.getByRole('button', { name: 'Look at the suggested binding of Contacts: Person' }).click()
  await confirm(alex)
  await alex.locator('[data-testid=concept] [data-facet="contacts.person"]').waitFor()
  await alex.getByTestId('bind-facet').click()
  await alex.getByTestId('bind-which').selectOption('schedule.attendee')
  await alex.getByTestId('bind-name').selectOption('displayName')
  await alex.getByTestId('bind-phone').selectOption('')
  await alex.getByTestId('bind-email').selectOption('email')
  await confirm(alex)
  await alex.locator('[data-testid=concept] [data-facet="schedule.attendee"]').getByText('Name ↔ Name, Email ↔ Email').waitFor()
  const [{ bindings }] = (await api('GET', '/concepts')).concepts
  assert.deepEqual(bindings.map(({ facet, fields }) => [facet, fields]), [
    ['contacts.person', { name: 'name', phone: 'phone', email: 'email' }],
    ['schedule.attendee', { name: 'displayName', email: 'email' }],
  ])
  await alex.keyboard.press('Escape')
  step('two sheets are bound')

  // 3 · two rows are one: shown first, then said
  await sheet(alex, 'Contacts', 'Person')
  await alex.getByTestId('filter').fill('Asthma') // private, and there for whoever edits
  await alex.getByText('1 of 3 rows').waitFor()
  await cell(alex, 'john', 'name').click()
  await alex.getByTestId('same-thing').click()
  await alex.getByTestId('pick').fill('j. sm')
  await alex.locator('.found [data-entity=js]').click()
  await alex.locator('[data-testid=same-preview] [data-state=differs]').getByText('they differ').waitFor()
  assert.deepEqual((await api('GET', '/concepts/Person/entities')).concept_entities, [])
  await alex.screenshot({ path: picture('same') })
  await confirm(alex)
  await alex.locator('[data-entity=john] [data-field=name].flagged').waitFor()
  await sheet(jordan, 'Schedule', 'Attendee')
  await jordan.locator('[data-entity=js] [data-field=displayName].flagged').waitFor()
  assert.equal(await cell(jordan, 'js', 'role').evaluate((one) => one.classList.contains('flagged')), false)
  assert.match(await cell(jordan, 'js', 'email').getAttribute('title'), /shared with Contacts: Person John Smith/)
  await cell(jordan, 'js', 'email').click()
  await jordan.getByTestId('shared-with').getByText('shared with Contacts: Person John Smith').waitFor()
  step('two rows are one, and both cells are flagged')

  // 4 · people choose
  await jordan.getByTestId('inbox-button').click()
  await jordan.getByTestId('conflict-inbox').getByText('and these are one thing').first().click()
  const sides = jordan.getByTestId('candidates').locator('li')
  await sides.filter({ hasText: 'in Schedule: Attendee, Name' }).waitFor()
  await jordan.screenshot({ path: picture('choice') })
  await sides.filter({ hasText: 'in Contacts: Person, Name' }).getByTestId('choose').click()
  await holds(jordan, 'js', 'displayName', 'John Smith')
  await alex.locator('[data-entity=john] [data-field=name]:not(.flagged)').waitFor()
  await jordan.locator('[data-entity=js] [data-field=displayName]:not(.flagged)').waitFor()
  await jordan.getByTestId('decisions').getByText('John Smith').waitFor()
  await jordan.keyboard.press('Escape')
  step('the decision shows in both')

  // 5 · one value, wherever it is edited
  await type(jordan, 'js', 'displayName', 'Jack Smith')
  await holds(alex, 'john', 'name', 'Jack Smith')
  await type(alex, 'john', 'email', 'jack@example.org')
  await holds(jordan, 'js', 'email', 'jack@example.org')
  await history(alex, 'john', 'name')
  await alex.getByTestId('belongs').getByRole('button', { name: /Person Jack Smith/ }).click()
  await alex.getByTestId('thing').getByLabel('Name', { exact: true }).fill('Jon Smith')
  await alex.keyboard.press('Enter')
  await holds(alex, 'john', 'name', 'Jon Smith')
  await holds(jordan, 'js', 'displayName', 'Jon Smith')
  assert.deepEqual((await api('GET', '/conflicts')).conflicts, [])
  step('either row edits both, and so does the thing itself')

  // 6 · unbound: each keeps what it showed and goes its own way
  await alex.getByTestId('members').locator('[data-entity=js]').getByTestId('unbind-member').click()
  await alex.locator('dialog').getByText('All its values stay').waitFor()
  await confirm(alex)
  await jordan.locator('[data-entity=js] [data-field=displayName] [data-shared]').waitFor({ state: 'detached' })
  await holds(jordan, 'js', 'displayName', 'Jon Smith')
  await type(jordan, 'js', 'displayName', 'Jonny')
  await saved(jordan)
  await holds(jordan, 'js', 'displayName', 'Jonny')
  await holds(alex, 'john', 'name', 'Jon Smith')
  assert.equal((await api('GET', '/entities/john')).facets['contacts.person'].name, 'Jon Smith')
  step('unbinding keeps every value')

  // 7 · a rule proposes, a person merges
  await alex.getByTestId('concepts-button').click()
  await alex.getByTestId('concepts-button').click()
  await alex.getByTestId('open-duplicates').click()
  await alex.getByText('The rules propose nothing.').waitFor()
  await alex.getByTestId('rule-about').selectOption('contacts.person')
  await alex.getByLabel('Phone', { exact: true }).check()
  await alex.getByTestId('set-rule').click()
  await alex.getByTestId('proposals').getByRole('button', { name: 'Merge…' }).click()
  await alex.getByTestId('merge-preview').waitFor()
  await alex.getByRole('radio', { name: /Jane Doe/ }).check()
  await alex.getByRole('columnheader', { name: 'Person Jane Doe (stays)' }).waitFor()
  await alex.getByTestId('moving').getByText('Choir').waitFor()
  await alex.getByLabel('What Name will say').selectOption('survivor')
  await alex.screenshot({ path: picture('merge') })
  await confirm(alex)
  await sheet(jordan, 'Contacts', 'Person')
  await cell(jordan, 'jane', 'role').getByText('Stage manager').waitFor()
  for (const page of [alex, jordan]) await page.locator('[data-entity=jd]').first().waitFor({ state: 'detached' })
  await holds(jordan, 'jane', 'name', 'Jane Doe')
  assert.equal((await api('GET', '/entities/jd')).id, 'jane')
  step('a rule proposes, a person merges')

  // 8 · without the node: everything is shown, and what needs it says why it can't be done
  await saved(jordan)
  node.child.kill('SIGTERM')
  await once(node.child, 'exit')
  await jordan.getByTestId('offline-banner').waitFor()
  assert.ok(await jordan.getByTestId('merge-rows').isDisabled())
  assert.equal(await jordan.getByTestId('same-thing').getAttribute('title'), 'This needs the node, and it is away.')
  await jordan.getByTestId('concepts-button').click()
  await jordan.locator('[data-testid=concepts] [data-concept=Person]').click()
  await jordan.getByTestId('barred').getByText('This needs the node').waitFor()
  await jordan.getByTestId('things').getByText('Jon Smith').waitFor()
  await jordan.reload()
  await shows(jordan)
  await sheet(jordan, 'Contacts', 'Person')
  await holds(jordan, 'jane', 'role', 'Stage manager')
  assert.equal(await jordan.locator('[data-entity=jd]').count(), 0)
  await jordan.locator('[data-entity=john]').first().waitFor()
  node = await serve(port)
  await saved(jordan)
  step('away from the node it shows the same')

  // 9 · split again: everything back
  await history(jordan, 'jane', 'name')
  await jordan.getByTestId('belongs').locator('[data-entity=jd]').getByTestId('split').click()
  await confirm(jordan)
  await holds(jordan, 'jd', 'name', 'J. Doe')
  await holds(jordan, 'jd', 'role', 'Stage manager')
  await holds(jordan, 'jane', 'name', 'Jane Doe')
  assert.equal(await cell(jordan, 'jane', 'role').locator('.text').textContent(), '')
  assert.deepEqual((await api('GET', '/conflicts')).conflicts, [])
  step('split again, everything back')

  // 10 · the binding itself
  await jordan.getByTestId('concepts-button').click()
  await jordan.locator('[data-testid=concepts] [data-concept=Person]').click()
  await jordan.getByRole('button', { name: 'Unbind Contacts: Person' }).click()
  await jordan.locator('dialog').getByText('All values stay').waitFor()
  await confirm(jordan)
  await jordan.getByText('Nothing has been said to be one yet').waitFor()
  await holds(jordan, 'john', 'name', 'Jon Smith')
  step('a facet is unbound')

  // 11 · what a row is related to
  await jordan.keyboard.press('Escape')
  await cell(jordan, 'jane', 'name').click()
  await jordan.getByTestId('open-relations').click()
  await jordan.getByTestId('relations').getByText('Jane Doe isn’t related to anything yet.').waitFor()
  await jordan.getByTestId('relations').getByLabel('Member of…').fill('choir')
  await jordan.locator('.found [data-entity=choir]').click()
  await jordan.locator('[data-testid=relation-list] [data-other=choir]').getByText('Choir').waitFor()
  assert.deepEqual((await api('GET', '/entities/jane')).edges.map(({ edge, to }) => [edge, to]), [['contacts.member_of', 'choir']])
  await jordan.getByTestId('remove-edge').click()
  await jordan.locator('dialog').getByText('“Jane Doe').waitFor()
  await confirm(jordan)
  await jordan.locator('[data-testid=relation-list] li').waitFor({ state: 'detached' })
  assert.deepEqual((await api('GET', '/entities/jane')).edges, [])
  step('a relation is drawn and taken away')

  // 12 · a file, looked at before it is taken in
  await jordan.keyboard.press('Escape')
  await jordan.getByTestId('import-file').click()
  const file = { name: 'sheet.csv', mimeType: 'text/csv', buffer: Buffer.from('Name,Role,Email\nJane Doe,DSM,jane@example.org\n') }
  await jordan.getByTestId('import-choose').setInputFiles(file)
  const change = jordan.locator('[data-testid=import-changes] tbody tr')
  const role = (await api('GET', '/entities/jane')).facets['contacts.person'].role
  await change.getByText('DSM').waitFor()
  assert.deepEqual(await change.locator('th, td').allTextContents(), ['Jane Doe', 'Role', role ?? '–', 'DSM'])
  await confirm(jordan)
  await jordan.locator('dialog').waitFor({ state: 'detached' })
  assert.equal((await api('GET', '/entities/jane')).facets['contacts.person'].role, 'DSM')
  step('an import shows old beside new first')
} finally {
  await browser.close()
  node.child.kill('SIGTERM')
}
process.exit(0)
