package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// page is a file in memory.
type page struct {
	body     []byte
	kind     string // of content
	tag      string
	modified string
}

// site has the pages by path; an index.html is at its folder's too.
type site map[string]*page

// siteLimit bounds the memory of a site.
const siteLimit = 256 << 20

// load reads the files below a folder. What is not a regular file, a symbolic
// link among others, and what begins with a dot is left out.
func load(folder string) (site, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	s, total := site{}, 0
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		body, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		if total += len(body); total > siteLimit {
			return fmt.Errorf("httpd: the files below %s are more than %d MiB", folder, siteLimit>>20)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		s.add("/"+name, body, info.ModTime())
		return nil
	})
	return s, err
}

// hello is a site for those who have none.
func hello() site {
	s := site{}
	s.add("/index.html", []byte("<!DOCTYPE html><title>gopoll</title><p>Hello from one goroutine.\n"), time.Now())
	return s
}

func (s site) add(name string, body []byte, modified time.Time) {
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = http.DetectContentType(body)
	}
	sum := sha256.Sum256(body)
	p := &page{body, kind, fmt.Sprintf(`"%x"`, sum[:12]), modified.UTC().Format(http.TimeFormat)}
	s[name] = p
	if folder, file := path.Split(name); file == "index.html" {
		s[folder] = p
	}
}
