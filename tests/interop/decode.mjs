// Reads updates, base64, one a line; tells what Y.decodeUpdate says of each, or {"error": …}.
import { createInterface } from 'node:readline'
import { described } from './described.mjs'

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    answer = described(Buffer.from(line, 'base64'))
  } catch (error) {
    answer = { error: String(error.message) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
