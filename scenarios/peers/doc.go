// Package peers has the servers that the kit's steps are compared with, which are not
// written in Go and not part of the kit: in node the tutorial's step 7 as published
// (server.js) and its step 6 (recovery.js) on the official Node.js server; and two right
// servers, node/right.js and python/right.py. Its tests are the benchmarks beside the
// published one, and in right_test.go the positive control: Redial passes the right ones.
package peers
