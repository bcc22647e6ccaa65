// The library's own copies: the workspace does not depend on them itself.
export * as grpc from '../../packages/core/node_modules/@grpc/grpc-js/build/src/index.js';
export * as loader from '../../packages/core/node_modules/@grpc/proto-loader/build/src/index.js';
