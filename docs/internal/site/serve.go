package site

import (
	"net/http"
	"strings"
)

// Handler serves the site in folder at the path base, which begins and ends with a slash,
// and redirects every other path there.
func Handler(folder, base string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(base, http.StripPrefix(strings.TrimSuffix(base, "/"), http.FileServer(http.Dir(folder))))
	if base != "/" {
		mux.Handle("/{$}", http.RedirectHandler(base, http.StatusFound))
	}
	return mux
}

// Base returns the path of the setting SITE_BASE. It accepts "", "redial" and "/redial/", as
// the generator does.
func Base(setting string) string {
	if trimmed := strings.Trim(setting, "/"); trimmed != "" {
		return "/" + trimmed + "/"
	}
	return "/"
}
