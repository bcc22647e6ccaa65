import { randomNumbers } from './random.mjs'

const SYLLABLES = 'ba con der el fi gra hu in jo ka le mon ne or pra qui re sta ti un ver wo xa yo zen'.split(' ')

/** 4,096 made-up words of one to four syllables, each with the space or line end that follows it. */
function vocabulary(number) {
  return Array.from({ length: 4096 }, (_, i) => {
    const length = 1 + (number() % 4)
    const word = Array.from({ length }, () => SYLLABLES[number() % SYLLABLES.length]).join('')
    return Buffer.from(word + (i % 12 === 0 ? '\n' : ' '))
  })
}

/**
 * Text of pseudo-random words, a few of them far more frequent than the rest,
 * so that it compresses about as prose does.
 * @param {number} seed
 * @returns {(length: number) => Buffer} gives the next `length` bytes
 */
export function randomText(seed) {
  const number = randomNumbers(seed)
  const words = vocabulary(number)
  return (length) => {
    const text = Buffer.alloc(length, 0x20)
    let at = 0
    while (at < length) {
      // The square of an even draw gives the first words most of the weight.
      const draw = number() / 2 ** 32
      at += words[Math.floor(draw * draw * words.length)].copy(text, at)
    }
    return text
  }
}
