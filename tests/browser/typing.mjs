// Typing while others work: what is typed stays in sight, is said about, and isn't lost. Arguments: see laptops.mjs.
import assert from 'node:assert/strict'
import { cell, holds, Laptop, run, saved, step } from './laptops.mjs'

await run(async () => {
  const alex = new Laptop('Alex')
  await alex.command('new', alex.show, '--name', 'Hamlet', '--plugin', 'cues')
  await alex.start('', 'serve', alex.show, '--port', '0', '--no-browser')
  const edited = (...operations) => alex.call('POST', '/bundles', { operations })
  const numbers = Array.from({ length: 40 }, (_, at) => at + 1)
  await edited(...numbers.map((number) => (
    { op: 'create_entity', entity: `c${number}`, facets: { 'cues.cue': { list: 'LX', number: String(number), label: `Label ${number}` } } }
  )))
  const page = await alex.open()
  await saved(page)
  const editor = page.locator('.editor:focus')
  const problem = page.locator('.editor-problem')
  const inSight = async (one) => {
    const box = await one.boundingBox()
    const { width, height } = page.viewportSize()
    assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, JSON.stringify(box))
  }

  await cell(page, 'c20', 'label').click()
  for (const number of [20, 21, 22, 23, 24, 25]) {
    await page.keyboard.type(`Look ${number}`)
    await page.keyboard.press(number % 2 === 0 ? 'Enter' : 'ArrowDown')
  }
  for (const number of [20, 21, 22, 23, 24, 25]) await holds(page, `c${number}`, 'label', `Look ${number}`)
  step('fast')

  await cell(page, 'c5', 'label').click()
  await page.keyboard.type('half')
  await edited({ op: 'delete_entity', entity: 'c5' })
  await problem.getByText('deleted this row').waitFor()
  await page.keyboard.type(' a word')
  assert.equal(await editor.inputValue(), 'half a word')
  await page.keyboard.press('Enter')
  await cell(page, 'c12', 'label').click()
  await problem.getByText('deleted this row').waitFor()
  assert.equal(await editor.inputValue(), 'half a word')
  await page.keyboard.press('Escape')
  await cell(page, 'c5', 'label').waitFor({ state: 'detached' })
  await page.locator('[role=grid]:focus').waitFor()
  step('deleted')

  await cell(page, 'c8', 'label').click()
  await page.keyboard.press('End')
  const last = await page.locator('.cell.active').getAttribute('data-field')
  await page.keyboard.type('mine')
  await edited({ op: 'set_field', entity: 'c8', facet: 'cues.cue', field: last, value: 'theirs' })
  await holds(page, 'c8', last, 'theirs')
  await page.keyboard.press('Enter')
  await problem.getByText('Somebody has just set “theirs”').waitFor()
  await inSight(problem)
  await page.keyboard.press('Escape')
  for (const key of ['Home', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key)
  step('in sight')

  await cell(page, 'c13', 'label').click()
  await page.keyboard.press('F2')
  await page.keyboard.type(' mine')
  await edited({ op: 'set_field', entity: 'c13', facet: 'cues.cue', field: 'label', value: 'theirs' })
  await holds(page, 'c13', 'label', 'theirs')
  for (const tries of [1, 2]) {
    await page.getByRole('button', { name: 'Part', exact: true }).click()
    await page.getByTestId('notice').getByText('isn’t written yet').waitFor()
    assert.equal(await page.locator('.editor').inputValue(), 'Label 13 mine', `try ${tries}`)
  }
  await cell(page, 'c18', 'label').click()
  await page.locator('.editor').focus()
  await page.keyboard.press('Enter')
  await holds(page, 'c13', 'label', 'Label 13 mine')
  step('told before it replaces')

  // As an input method does: one key that stands for none, then the text as it is composed.
  const devtools = await page.context().newCDPSession(page)
  await cell(page, 'c9', 'label').click()
  await devtools.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'KeyK', windowsVirtualKeyCode: 229 })
  await editor.waitFor()
  await devtools.send('Input.imeSetComposition', { text: 'かん', selectionStart: 2, selectionEnd: 2 })
  await devtools.send('Input.insertText', { text: '漢字' })
  await page.keyboard.press('Enter')
  await holds(page, 'c9', 'label', '漢字')
  await cell(page, 'c10', 'label').click()
  await devtools.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'KeyK', windowsVirtualKeyCode: 229 })
  await editor.waitFor()
  await page.keyboard.press('Enter')
  await holds(page, 'c10', 'label', 'Label 10')
  await saved(page)
  step('composed')

  await cell(page, 'c11', 'label').click()
  await page.keyboard.type('half')
  const asked = page.waitForEvent('dialog')
  const closed = page.close({ runBeforeUnload: true })
  const dialog = await asked
  assert.equal(dialog.type(), 'beforeunload')
  await dialog.dismiss()
  await closed
  assert.equal(await editor.inputValue(), 'half')
  step('asked before it goes')
})
