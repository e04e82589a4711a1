// Package site checks the built site and serves it.
//
// Read [Check] first: it follows every link of every page. Checks that need a browser, such as
// the search, are in browser_test.go, which `make site-test` runs. site must not know how the
// site is built.
package site

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// A page holds the parts of an HTML file that Check needs.
type page struct {
	anchors   map[string]bool
	links     []string // addresses that a reader can follow
	resources []string // addresses that the browser loads with the page
	text      string
}

// Check follows every link of the site in folder, which is served at the path base. It
// returns the number of links, and a line for each problem: links and anchors without a
// target, resources from other sites, pages without a counterpart in the other language or
// without a link to it, and markup that only a code host understands.
func Check(folder, base string) (links int, wrong []string, err error) {
	files := map[string]bool{}
	pages := map[string]page{}
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		files[relative] = true
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		switch path.Ext(relative) {
		case ".html":
			pages[relative], err = parse(string(text))
		case ".css":
			for _, match := range cssAddress.FindAllStringSubmatch(string(text), -1) {
				if elsewhere(match[1]) {
					wrong = append(wrong, fmt.Sprintf("%s loads %s, which is elsewhere", relative, match[1]))
				}
			}
		}
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	for name, p := range pages {
		complain := func(what string, values ...any) {
			wrong = append(wrong, name+": "+fmt.Sprintf(what, values...))
		}
		for _, address := range p.resources {
			if elsewhere(address) {
				complain("it loads %s, which is elsewhere", address)
			}
		}
		for _, address := range slices.Concat(p.links, p.resources) {
			links++
			if why := dead(files, pages, name, base, address); why != "" {
				complain("the link %s is dead: %s", address, why)
			}
		}
		if strings.Contains(p.text, "redial: nav") || strings.Contains(p.text, "/redial -->") {
			complain("it shows markup that is for a code host")
		}
		if name == "404.html" || strings.HasPrefix(name, "lab/") {
			continue
		}
		other := counterpart(name)
		if _, ok := pages[other]; !ok {
			complain("there is no %s", other)
		} else if !slices.ContainsFunc(p.links, func(address string) bool {
			file, _, ok := locate(name, base, address)
			return ok && file == other
		}) {
			complain("it has no link to %s, the page in the other language", other)
		}
	}
	slices.Sort(wrong)
	return links, wrong, nil
}

var cssAddress = regexp.MustCompile(`(?:url\(|@import )["']?([^"')]+)`)

func parse(text string) (page, error) {
	p := page{anchors: map[string]bool{}, text: text}
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return p, err
	}
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				p.anchors[a.Val] = true
			case a.Key == "href" && n.Data == "a":
				p.links = append(p.links, a.Val)
			case a.Key == "href" && n.Data == "link", a.Key == "src":
				p.resources = append(p.resources, a.Val)
			}
		}
	}
	return p, nil
}

func elsewhere(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != ""
}

func counterpart(name string) string {
	if english, ok := strings.CutPrefix(name, "ko/"); ok {
		return english
	}
	return "ko/" + name
}

// locate returns the file in the folder, and the anchor, for an address on a page. ok is
// false for an external address and for an invalid one.
func locate(from, base, address string) (file, anchor string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" {
		return "", "", false
	}
	at := (&url.URL{Path: base + from}).ResolveReference(u)
	file = strings.TrimPrefix(at.Path, base)
	if file == "" || strings.HasSuffix(file, "/") {
		file += "index.html"
	}
	return file, at.Fragment, true
}

func dead(files map[string]bool, pages map[string]page, from, base, address string) string {
	file, anchor, ok := locate(from, base, address)
	if !ok {
		return ""
	}
	if !files[file] {
		return "there is no " + file
	}
	// The lab keeps its state in the fragment; on the other pages a fragment is a heading.
	if anchor != "" && !strings.HasPrefix(file, "lab/") && !pages[file].anchors[anchor] {
		return file + " has no #" + anchor
	}
	return ""
}
