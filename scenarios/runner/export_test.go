package runner

import "redial/scenarios/labpage"

// VerdictOf is for the tests that play a run by themselves.
var VerdictOf = labpage.VerdictOf
