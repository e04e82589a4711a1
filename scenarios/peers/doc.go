// Package peers has servers and clients to compare the kit's own with. Most are written in other
// languages (folders node and python), and the kit runs without them:
//
//   - the tutorial's steps 6 (recovery.js) and 7 (server.js) as published, on the official
//     Node.js server, which the documentation measures;
//   - two right servers, node/right.js and python/right.py;
//   - applications of the shapes that other developers write, each in a folder with a page
//     and a redial.yaml: user names, private messages, a server that emits by itself, and so
//     on. The comment at the top of each states its level and its deliberate mistakes.
//
// Read first: the benchmarks beside step 7 as published (bench_test.go), the positive control
// that Redial passes the right servers (right_test.go), and the results of official clients
// on each shape (shapes_test.go).
package peers
