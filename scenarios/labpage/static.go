//go:build !js

package labpage

import (
	"embed"
	"io/fs"

	"redial/harness/report"
)

//go:embed static
var static embed.FS

// Static is the page: a folder of files that needs nothing else. Without a server that
// answers /play, it plays in a worker. DrawingStyle belongs beside it, as drawing.css.
func Static() fs.FS {
	folder, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the name is a constant
	}
	return folder
}

// DrawingStyle is the style sheet of the drawings.
var DrawingStyle = report.TimelineStyle
