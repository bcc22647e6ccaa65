// How long is searched for matches at the levels 1 to 9. On the members of a Debian system each takes 1.0 to 1.7 times as long as the one before.

/** So many candidates are looked at: two and more, since half as many are for a match that waits. */
const depths: StaticArray<u16> = [2, 4, 3, 5, 8, 16, 32, 100, 400];
/** A match of so many bytes is taken at once. */
const sufficient: StaticArray<u16> = [16, 32, 32, 32, 48, 64, 128, 258, 258];
/** From here on a match waits for a better one at the next byte. */
const firstLazy: u32 = 3;

export function isLazy(level: u32): bool {
  return level >= firstLazy;
}

export function depthOf(level: u32): u32 {
  return <u32>unchecked(depths[level - 1]);
}

export function enoughOf(level: u32): u32 {
  return <u32>unchecked(sufficient[level - 1]);
}
