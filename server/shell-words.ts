/** Commands that people are shown, as a shell takes them: whatever is in a word, it stays one word and does nothing. */

const plain = /^[\w./:@%+=,-]+$/;

/** Words as one line to paste. */
export const shellLine = (words: readonly string[]): string =>
  words.map((w) => (plain.test(w) ? w : `'${w.replaceAll("'", `'\\''`)}'`)).join(' ');
