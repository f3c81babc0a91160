package cyradm

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/peterh/liner"
)

// Interact runs commands typed at the terminal that standard input is, with
// history and completion of command names. An interrupt throws the line away.
func (s *Shell) Interact() (status int, exited bool) {
	state := liner.NewLiner()
	defer state.Close()
	state.SetCtrlCAborts(true)
	state.SetTabCompletionStyle(liner.TabPrints)
	state.SetCompleter(complete)
	return s.run(&terminal{state, s.Out})
}

type terminal struct {
	*liner.State
	out io.Writer
}

func (t *terminal) Line(prompt string) (string, error) {
	line, err := t.Prompt(prompt)
	switch {
	case errors.Is(err, liner.ErrPromptAborted):
		return "", nil
	case errors.Is(err, io.EOF):
		io.WriteString(t.out, "\n")
	case err == nil && strings.TrimSpace(line) != "":
		t.AppendHistory(line)
	}
	return line, err
}

// complete returns the lines that a beginning may become: a command is the
// first word, or one after help.
func complete(line string) []string {
	at := 0
	for _, word := range []string{"help ", "? "} {
		if strings.HasPrefix(line, word) {
			at = len(word)
		}
	}
	var out []string
	for _, r := range table() {
		for _, name := range append([]string{r.name}, r.aliases...) {
			if strings.HasPrefix(name, line[at:]) {
				out = append(out, line[:at]+name)
			}
		}
	}
	slices.Sort(out)
	return out
}
