package cyradm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
)

// perl matches a line that is Perl and no command of ours: the files are named
// .pl, and have been taken at their name.
var perl = regexp.MustCompile(`(?m)^\s*(?:(?:use|require|package|my|our|local|sub|no)\s+[\w$@%(].*[;{]|[$@%]\w+.*=.*;|1;|=(?:pod|head\d|cut)\b|#!.*perl)`)

// RC runs the commands in a file for the start of a session, if it is there,
// as Script does.
func (s *Shell) RC(file string) (status int, exited bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(s.Err, "cyradm: %v\n", plain(err))
		}
		return 0, false
	}
	if perl.Match(text) {
		fmt.Fprintf(s.Err, "cyradm: %s: Perl, not cyradm commands: ignored\n", file)
		return 0, false
	}
	return s.Script(bytes.NewReader(text))
}
