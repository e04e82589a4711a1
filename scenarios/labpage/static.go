//go:build !js

package labpage

import (
	"embed"
	"io/fs"

	"redial/harness/report"
)

//go:embed static
var static embed.FS

// Static is the page: a folder of files without dependencies. Without a server that answers
// /play, the page plays in a worker. Serve DrawingStyle beside it as drawing.css.
func Static() fs.FS {
	folder, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the name is a constant
	}
	return folder
}

// DrawingStyle is the style sheet of the drawings.
var DrawingStyle = report.TimelineStyle
