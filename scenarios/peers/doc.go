// Package peers has the servers that the kit's steps are compared with, which are not
// written in Go and not part of the kit: the tutorial's step 7 on the official Node.js
// server, in node. Its tests are the benchmarks of both.
package peers
