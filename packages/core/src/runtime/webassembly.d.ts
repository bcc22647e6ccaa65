/** What is used of it: the compiler's library for ES2023 alone has no types for it. What a module exports is known to whoever made it. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new <Exports>(module: object) => { readonly exports: Exports };
};
