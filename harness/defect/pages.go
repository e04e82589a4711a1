package defect

import (
	_ "embed"
	"strings"
)

// A page is the frame with a script in it. The scripts differ in what they do when
// a message comes; the frame has what they share.
var (
	//go:embed pages/frame.html
	frame string
	//go:embed pages/published.js
	publishing string
	//go:embed pages/retries.js
	retrying string
	//go:embed pages/silent.js
	silent string
	//go:embed pages/ahead.js
	ahead string
	//go:embed pages/forgetful.js
	forgetful string
	//go:embed pages/persistent-offset.js
	persistentOffset string
)

var (
	// Page shows all that it is given and moves its offset to it, forward or back,
	// as the published tutorial's does.
	Page = withScript(publishing)
	// PageWithRetries is Page with what the published tutorial adds at step 8: it sends
	// a message again, three times and no more, under a key that it counts.
	PageWithRetries = withScript(retrying)
	// PageWithoutAcknowledgements is right, and asks for no acknowledgement.
	PageWithoutAcknowledgements = withScript(silent)

	pageAhead                = withScript(ahead)
	pageForgetful            = withScript(forgetful)
	pageWithPersistentOffset = withScript(persistentOffset)
)

func withScript(script string) []byte {
	return []byte(strings.Replace(frame, "// the page's own script", script, 1))
}
