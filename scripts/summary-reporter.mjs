// A reporter for vitest that counts: it writes a `Summary` as JSON to the file that OCI_TAR_TEST_SUMMARY names.
import { writeFileSync } from 'node:fs';

/**
 * @typedef {object} Summary
 * @property {number} passed
 * @property {number} failed tests that failed or never ended, and files, suites and stray errors that failed outside of a test
 * @property {{ file: string, name: string, reason: string }[]} skipped
 */

/** @implements {Partial<import('vitest/node').Reporter>} */
export default class SummaryReporter {
  /** @type {RegExp | undefined} */
  #pattern;

  /** @param {import('vitest/node').Vitest} vitest */
  onInit(vitest) {
    this.#pattern = vitest.config.testNamePattern;
  }

  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} strayErrors
   */
  onTestRunEnd(modules, strayErrors) {
    /** @type {Summary} */
    const summary = { passed: 0, failed: strayErrors.length, skipped: [] };
    for (const module of modules) {
      const suites = [module, ...module.children.allSuites()];
      summary.failed += suites.filter((suite) => suite.errors().length > 0).length;
      for (const test of module.children.allTests()) this.#count(test, summary);
    }
    const file = process.env['OCI_TAR_TEST_SUMMARY'];
    if (file !== undefined) writeFileSync(file, JSON.stringify(summary));
  }

  /**
   * @param {import('vitest/node').TestCase} test
   * @param {Summary} summary
   */
  #count(test, summary) {
    const result = test.result();
    if (result.state === 'passed') summary.passed += 1;
    else if (result.state === 'failed' || result.state === 'pending') summary.failed += 1;
    // What `-t <pattern>` leaves out was not asked for, which is not the same as skipped.
    else if (this.#pattern === undefined || this.#pattern.test(test.fullName.replaceAll(' > ', ' '))) {
      const reason = result.note ?? (test.options.mode === 'todo' ? 'not written yet' : 'no reason given');
      summary.skipped.push({ file: test.module.relativeModuleId, name: test.fullName, reason });
    }
  }
}
