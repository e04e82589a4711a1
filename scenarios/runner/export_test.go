package runner

// VerdictOf is for the tests that play a run by themselves.
var VerdictOf = verdictOf
