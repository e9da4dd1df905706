// Two laptops in their pages, with a node each: hosted, joined by the spoken code, names confirmed, an edit followed to
// the other device, apart and back by a plan that both approve, a member removed, ended. Prints one JSON line per step;
// throws at a fault.
//
//   node together.mjs PYTHON FOLDER CHROMIUM
import assert from 'node:assert/strict'
import { alone, cell, confirm, holds, Laptop, run, standing, step, type } from './laptops.mjs'

await run(async () => {
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
  await two.getByTestId('happened').getByText('Alex is gone: “This device was removed').waitFor()
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
  alex.node.kill('SIGKILL')
  await one.getByTestId('barred').getByText('This needs the node').waitFor()
  assert.ok(await one.getByTestId('host').isDisabled())
  step('ended, and away')
})
