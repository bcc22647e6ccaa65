import type { ByteStream, CopyEvent } from '@oci-tar/core';
import type { Messages } from './io.ts';
import { counted, formatSize } from './style.ts';

/** How often a bar is drawn anew, and how often a log gets a line, in ms. */
const barEvery = 80;
const lineEvery = 3000;
const barWidth = 24;

/**
 * How far a command is: one line that is drawn over and over on a terminal, now and then a line elsewhere, nothing where
 * it is not wanted. Totals are those of the plan. (An own renderer: a library for this costs more at start than all of
 * it does, and its timers would keep the process alive.)
 */
export class Progress {
  readonly #out: Messages | undefined;
  readonly #now: () => number;
  #title = '';
  #began = 0;
  #drawn = -Infinity;
  #visible = false;
  #bytes = 0;
  #total: number | undefined;
  #blobs = 0;
  #allBlobs = 0;

  /** Without `out` nothing is shown. `now`: a clock in ms. */
  constructor(out?: Messages, now: () => number = () => process.uptime() * 1000) {
    this.#out = out;
    this.#now = now;
  }

  /** A new piece of work. `total`: its bytes, where they are known. */
  start(title: string, total?: number): void {
    this.clear();
    this.#title = title;
    this.#began = this.#now();
    // A log gets its first line when the work turns out to take long.
    this.#drawn = this.#out?.isTerminal === true ? -Infinity : this.#began;
    this.#bytes = 0;
    this.#total = total;
    this.#blobs = 0;
    this.#allBlobs = 0;
  }

  /** Takes the events of a copy. */
  event(event: CopyEvent): void {
    if (event.type === 'plan') {
      this.start(this.#title, event.plan.size);
      this.#allBlobs = event.plan.contents.size;
    } else if (event.type === 'bytes') this.add(event.count);
    else if (event.type === 'done') this.#blobs += 1;
    else if (event.type === 'exists') {
      this.#blobs += 1;
      this.add(event.content.descriptor.size);
    }
  }

  /** So many more bytes have passed. */
  add(count: number): void {
    this.#bytes += count;
    if (this.#out === undefined) return;
    const now = this.#now();
    if (now - this.#drawn < (this.#out.isTerminal ? barEvery : lineEvery)) return;
    this.#drawn = now;
    if (!this.#out.isTerminal) return this.#out.write(`${this.#title}: ${this.#figures(now)}\n`);
    this.#out.write(`\r${this.#line(now)}\u001b[K`);
    this.#visible = true;
  }

  /** How far somebody else is with a piece of what was handed over, in bytes. */
  elsewhere(title: string, done: number, total: number): void {
    if (title !== this.#title || total !== this.#total) this.start(title, total);
    this.add(Math.max(0, done - this.#bytes));
  }

  /** Counts a stream that passes, such as an archive from a pipe, before there is a plan. */
  async *watch(bytes: ByteStream): ByteStream {
    for await (const chunk of bytes) {
      this.add(chunk.byteLength);
      yield chunk;
    }
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (this.#visible) this.#out?.write('\r\u001b[K');
    this.#visible = false;
  }

  #line(now: number): string {
    const columns = (this.#out?.columns ?? 80) - 1;
    const text = ` ${this.#figures(now)}`;
    const bar = this.#total === undefined ? '' : ` ${this.#bar(this.#total)}`;
    const whole = this.#title + bar + text;
    // A line that wraps cannot be drawn over.
    return whole.length <= columns ? whole : (this.#title + text).slice(0, columns);
  }

  #bar(total: number): string {
    const full = total === 0 ? barWidth : Math.min(barWidth, Math.floor((this.#bytes / total) * barWidth));
    return '█'.repeat(full) + '░'.repeat(barWidth - full);
  }

  #figures(now: number): string {
    const seconds = (now - this.#began) / 1000;
    const rate = seconds > 0.5 ? `, ${formatSize(this.#bytes / seconds)}/s` : '';
    if (this.#total === undefined) return `${formatSize(this.#bytes)}${rate}`;
    const percent = this.#total === 0 ? 100 : Math.min(100, Math.floor((this.#bytes / this.#total) * 100));
    const blobs = this.#allBlobs === 0 ? '' : `, ${this.#blobs} of ${counted(this.#allBlobs, 'blob')}`;
    return `${percent} %, ${formatSize(this.#bytes)} of ${formatSize(this.#total)}${blobs}${rate}`;
  }
}
