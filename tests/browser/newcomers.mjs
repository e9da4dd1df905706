// A hub and two laptops in their pages: in by links in the page, each asked about; a clock that is off; roles changed; a
// hub that goes away; a plan declined; what a removed device wrote, reviewed. Prints one JSON line per step; throws at a
// fault. With SHOTS=FOLDER, pictures of the panels go there.
//
//   node newcomers.mjs PYTHON FOLDER CHROMIUM
import assert from 'node:assert/strict'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { alone, cell, confirm, holds, Laptop, run, standing, step, type } from './laptops.mjs'

const CLOCK = fileURLToPath(new URL('../sync/wrong_clock', import.meta.url))
const picture = (page, name) => process.env.SHOTS && page.screenshot({ path: path.join(process.env.SHOTS, `${name}.png`) })
const together = (page) => page.getByTestId('together-button').click()
const problem = (page, text) => page.getByTestId('together-problem').getByText(text).waitFor()
const state = (page, how) => page.locator(`[data-testid=save-state][data-state=${how}]`).waitFor()

async function join(page, words) {
  await page.locator('#join-words').fill(words)
  await page.getByTestId('join').click()
}

/** Each has the production from before, as a restored backup, and is no member yet. */
async function copies(hub, ...laptops) {
  const backup = path.join(hub.folder, 'backup')
  await hub.call('POST', '/backup', { path: backup })
  await Promise.all(laptops.map(async (one) => {
    await one.command('restore', backup, one.show)
    await one.start('', 'serve', one.show, '--port', '0', '--no-browser')
  }))
}

await run(async () => {
  const hub = new Laptop('Hub')
  const alex = new Laptop('Alex')
  const python = [CLOCK, process.env.PYTHONPATH ?? ''].join(path.delimiter)
  const sound = new Laptop('Sound', { CLOCK_AHEAD_S: '180', PYTHONPATH: python })
  await hub.command('new', hub.show, '--name', 'Hamlet', '--plugin', 'cues')
  await hub.start('', 'serve', hub.show, '--hub', '--listen', '127.0.0.1', '--peer-port', '0', '--port', '0', '--no-browser')
  await hub.call('POST', '/bundles', {
    operations: ['1', '2', '3'].map((number) => (
      { op: 'create_entity', entity: `q${number}`, facets: { 'cues.cue': { list: 'LX', number, label: `State ${number}` } } })),
  })
  const owners = await hub.call('POST', '/session/host', { role: 'owner' }) // founds it: who has no right looks only
  await copies(hub, alex, sound)
  const [one, two] = await Promise.all([alex.open(), sound.open()])
  await Promise.all([together(one), together(two)])
  await one.getByText('This device isn’t a member of the production').first().waitFor()

  // 1 · what isn't a link or a code is said so; a hub asks nobody, who joins is asked
  await alone(one)
  await join(one, 'one two three')
  await problem(one, 'That isn\'t a code to join.')
  await join(one, owners.link.slice(0, 60))
  await problem(one, 'The link isn\'t whole')
  await one.getByTestId('look').click()
  await one.locator('ul[data-testid=nearby] li, [data-testid=nobody-nearby], .nearby .problem').first().waitFor()
  await picture(one, '1-by-itself')
  await join(one, owners.link)
  await one.getByTestId('plan').getByText(/^Hub \(.+\) is there\./).waitFor()
  await one.getByTestId('approve').click()
  await standing(one, 'Hub', 'hub, always on')
  await standing(one, 'Alex', 'leads')
  await state(one, 'saved')
  step('joined a hub by its link, in the page')

  // 2 · a link of one's own: who brings it is shown to both
  await one.getByTestId('let-in').click()
  const link = await one.getByTestId('invite-link').inputValue()
  await join(two, link)
  const newcomer = one.getByTestId('plan')
  await newcomer.getByText('came with a link that you made, to be editor here').waitFor()
  assert.match(await newcomer.getByTestId('approve').getAttribute('aria-label'), /^Let in: Sound/)
  await one.getByTestId('notice').getByText('Sound came with your link').waitFor()
  await two.getByTestId('plan').getByText(/^Alex \(.+\) is there\./).waitFor()
  await picture(one, '2-newcomer')
  assert.equal(await two.locator('[data-standing=leads]').count(), 0)
  await two.getByTestId('approve').click()
  await two.getByTestId('joining').getByText('The other side is asked too').waitFor()
  await newcomer.getByTestId('approve').click()
  await standing(two, 'Alex', 'leads')
  await standing(two, 'Hub', 'hub, always on')
  await standing(one, 'Sound', 'here')
  step('in by a link, once both had said yes')

  // 3 · its clock is three minutes ahead
  await two.getByText('clock is 3 minutes ahead').first().waitFor()
  await two.getByText('The other’s time is used').or(two.getByText('The other\'s time is used')).first().waitFor()
  await picture(two, '3-hub-and-clock')
  step('a wrong clock is told')

  // 4 · looks only, then edits again
  const role = one.getByTestId('who-may').getByLabel('What Sound')
  await role.selectOption('viewer')
  await state(two, 'readOnly')
  await cell(two, 'q1', 'label').click()
  await two.keyboard.type('Not now')
  await two.getByTestId('notice').getByText('joined as a viewer').waitFor()
  await picture(two, '4-viewer')
  assert.ok(await two.getByTestId('leave').isEnabled(), 'who only looks may still go')
  await role.selectOption('editor')
  await state(two, 'saved')
  await type(two, 'q1', 'label', 'Thunder')
  await holds(one, 'q1', 'label', 'Thunder')
  step('a role is changed, and changed back')

  // 5 · the hub goes; apart, and back by the page: declined, nothing moves
  hub.node.kill('SIGKILL')
  await standing(one, 'Hub', 'hub, away')
  await two.getByTestId('leave').click()
  await confirm(two)
  await alone(two)
  await type(two, 'q2', 'label', 'Unaware')
  await two.getByTestId('rejoin').click()
  await one.getByTestId('plan').getByText('1 change from Sound').waitFor()
  await two.getByTestId('plan').waitFor()
  await two.getByTestId('approve').click()
  await picture(one, '5-plan')
  await one.getByTestId('decline').click()
  await one.getByTestId('notice').getByText('You said no: nothing has moved.').waitFor()
  await two.getByText('Nothing was joined. Declined by the other side.').waitFor()
  await one.getByTestId('plan').waitFor({ state: 'detached' })
  await picture(two, '6-declined')
  assert.equal(await cell(one, 'q2', 'label').locator('.text').textContent(), 'State 2')
  step('declined: nothing moves')

  // 6 · by three spoken words: each side is asked whom it sees, then what would come
  await one.getByTestId('let-in').click()
  const words = await one.getByTestId('spoken-code').textContent()
  const at = (await one.getByTestId('invite-link').inputValue()).split('/').at(-1)
  // Where the network lets no device find another, a page can't name the place: this can.
  await sound.call('POST', '/session/join', { link: words, at })
  const host = two.getByTestId('host-seen')
  await host.getByText('“Hamlet”, hosted by Alex').waitFor()
  assert.equal(await one.getByTestId('newcomer').count(), 0)
  await picture(two, '8-host-seen')
  await host.getByTestId('approve').click()
  await one.getByTestId('newcomer').getByText('knows the code and wants to join').waitFor()
  await one.getByTestId('newcomer').getByTestId('approve').click()
  for (const page of [two, one]) await page.getByTestId('plan').getByTestId('approve').click()
  await standing(two, 'Alex', 'leads')
  await holds(one, 'q2', 'label', 'Unaware')
  step('in by spoken words, each side asked')

  // 7 · removed; what it wrote without knowing comes by a stick, is held, and let in
  await two.getByTestId('leave').click()
  await confirm(two)
  await alone(two)
  await type(two, 'q3', 'label', 'Unaware')
  await one.getByTestId('who-may').getByLabel('Remove Sound').click()
  await confirm(one)
  const stick = path.join(sound.folder, 'stick')
  await sound.call('POST', '/pack', { path: stick })
  await alex.call('POST', '/merge', { path: stick })
  const held = one.getByTestId('held')
  await held.getByText('1 edit came from a device that had been removed').waitFor()
  await held.locator('.candidate').getByText('Sound', { exact: true }).waitFor()
  await held.scrollIntoViewIfNeeded()
  await picture(one, '7-held')
  assert.equal(await cell(one, 'q3', 'label').locator('.text').textContent(), 'State 3')
  await held.getByLabel('Let in what Sound changed').click()
  await holds(one, 'q3', 'label', 'Unaware')
  await held.waitFor({ state: 'detached' })
  step('what was held is reviewed, and let in')
})
