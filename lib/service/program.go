package service

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// programFile is the file this process runs, as it was at the start.
type programFile struct {
	name string
	was  fs.FileInfo
}

// thisProgram remembers the running program. An absolute argv[0] is taken as
// written, as Cyrus does, so that a link that now leads elsewhere counts as a
// change; else it is what the kernel says.
func thisProgram() *programFile {
	name := os.Args[0]
	if !filepath.IsAbs(name) {
		exe, err := os.Executable()
		if err != nil {
			return &programFile{}
		}
		name = exe
	}
	st, err := os.Stat(name)
	if err != nil {
		return &programFile{}
	}
	return &programFile{name, st}
}

// changed says in a line for the log why the program is not what it was, or
// nothing.
func (p *programFile) changed() string {
	if p.was == nil {
		return ""
	}
	st, err := os.Stat(p.name)
	if err != nil {
		return fmt.Sprintf("cannot stat process file: %s", text(err))
	}
	same := os.SameFile(p.was, st) && st.Size() == p.was.Size() &&
		st.ModTime().Truncate(time.Second).Equal(p.was.ModTime().Truncate(time.Second))
	if !same {
		return "process file has changed"
	}
	return ""
}
