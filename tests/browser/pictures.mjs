// Draws the pictures of the docs from real nodes: `make pictures`. Arguments: PYTHON FOLDER CHROMIUM; they go to FOLDER.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cell, Laptop, run, saved, standing } from './laptops.mjs'

const folder = process.argv[3]
async function picture(page, name) {
  await page.locator('[data-testid=notice] p').waitFor({ state: 'detached' })
  await page.screenshot({ path: path.join(folder, `${name}.png`) })
}
const create = (entity, facet, fields) => ({ op: 'create_entity', entity, facets: { [facet]: fields } })
const edited = (laptop, ...operations) => laptop.call('POST', '/bundles', { operations })

/** Calls a laptop by a name that people would give it. */
async function called(laptop, device) {
  await laptop.command('new', path.join(laptop.folder, 'first.openprod'), '--name', 'First')
  const file = path.join(laptop.folder, 'home', 'identity.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), device_name: device }))
}

/** A page of that size. */
async function open(laptop, width, height, colorScheme) {
  const page = await laptop.open()
  await page.emulateMedia({ colorScheme })
  await page.setViewportSize({ width, height })
  await saved(page)
  return page
}

await run(async () => {
  const alex = new Laptop('Alex')
  const jordan = new Laptop('Jordan')
  await called(alex, 'lighting desk')
  await called(jordan, 'Jordan’s laptop')
  await alex.start('', 'demo', '--dir', alex.show, '--port', '0', '--no-browser')
  const { rows: [[cue]] } = await alex.call('POST', '/query', { text: 'cues.cue where list = LX and number = 42' })
  const start = (value) => ({ op: 'set_field', entity: cue, facet: 'cues.cue', field: 'start', value })
  await edited(alex, start('10:15'))
  const { link } = await alex.call('POST', '/session/host', { trust_link: true, listen: '127.0.0.1', port: 0 })
  await jordan.start('', 'join', link, jordan.show, '--yes', '--peer-port', '0', '--port', '0')
  const [one, two] = [await open(alex, 1180, 640, 'light'), await open(jordan, 1180, 640, 'light')]

  // together: the two worked apart, and meet again
  await one.getByTestId('together-button').click()
  await standing(one, 'Jordan', 'here')
  await jordan.call('POST', '/session/leave')
  await one.locator('[data-testid=devices] li').nth(1).waitFor({ state: 'detached' })
  await edited(alex, start('10:30'))
  await edited(jordan, start('10:45'))
  await two.getByTestId('together-button').click()
  await two.getByTestId('rejoin').click()
  await one.getByTestId('plan').waitFor()
  await two.getByTestId('plan').waitFor()
  await picture(one, 'together')

  // sheet: what both changed is flagged, and somebody chooses
  await two.getByTestId('approve').click()
  await one.getByTestId('approve').click()
  await one.getByTestId('plan').waitFor({ state: 'detached' })
  await one.emulateMedia({ colorScheme: 'dark' })
  await one.setViewportSize({ width: 1536, height: 640 })
  await one.getByTestId('inbox-button').click()
  await one.getByTestId('conflict-sentence').first().click()
  await one.getByTestId('choose').first().waitFor()
  await one.getByText('Show it in the sheet').click()
  await one.locator(`[data-entity=${cue}] [data-field=start].flagged`).waitFor()
  await saved(one)
  await picture(one, 'sheet')

  // same-thing: one person in two sheets
  const robin = new Laptop('Robin')
  const plugins = ['contacts', 'schedule', 'cues'].flatMap((name) => ['--plugin', name])
  await robin.command('new', robin.show, '--name', 'Hamlet', ...plugins)
  await robin.start('', 'serve', robin.show, '--port', '0', '--no-browser')
  const names = ['Ada Okafor', 'Jane Doe', 'Kit Lane', 'Mo Haddad', 'Rosa Lind', 'Sam Poole']
  await edited(
    robin,
    ...names.map((name, number) => create(`p${number}`, 'contacts.person', { name })),
    create('john', 'contacts.person', { name: 'John Smith', phone: '020 7946 0102', email: 'john.smith@example.org' }),
    create('js', 'schedule.attendee', { displayName: 'J. Smith', role: 'Hamlet' }),
    { op: 'define_concept', concept: 'Person', fields: { name: {}, phone: {}, email: {} } },
    { op: 'bind_facet', facet: 'contacts.person', concept: 'Person', fields: { name: 'name', phone: 'phone', email: 'email' } },
    { op: 'bind_facet', facet: 'schedule.attendee', concept: 'Person', fields: { name: 'displayName', phone: 'phone', email: 'email' } },
  )
  const sheet = await open(robin, 1280, 640, 'light')
  await sheet.getByRole('group', { name: 'Contacts', exact: true }).getByRole('button', { name: 'Person', exact: true }).click()
  await cell(sheet, 'john', 'name').click()
  await sheet.getByTestId('same-thing').click()
  await sheet.getByTestId('pick').fill('j. sm')
  await sheet.locator('.found [data-entity=js]').click()
  await sheet.locator('[data-testid=same-preview] [data-state=differs]').getByText('they differ').waitFor()
  await picture(sheet, 'same-thing')
})
