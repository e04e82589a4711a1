// Package peers has servers that the kit's steps are compared with, which are not written
// in Go and not part of the kit. In node and python there are:
//
//   - the tutorial's steps 6 (recovery.js) and 7 (server.js) as published, on the official
//     Node.js server, which the documentation measures;
//   - two right servers, node/right.js and python/right.py;
//   - in a folder each, applications of the shapes that others write, with a page and a
//     redial.yaml: user names, private messages, a server that emits by itself, and so on.
//     The comment at the top of each says what it promises and what is wrong on purpose.
//
// Read first: the benchmarks beside step 7 as published (bench_test.go), the positive control,
// that Redial passes the right servers (right_test.go), and what official clients see of each
// shape (shapes_test.go).
package peers
