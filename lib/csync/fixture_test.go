package csync

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/lib/recorded"
)

// recordings returns the recorded dialogues of real servers whose names match.
func recordings(t testing.TB, pattern string) []string {
	files, err := filepath.Glob(filepath.Join(recorded.Path(t, "sync"), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %q", err, files)
	}
	return files
}

// notSync are recordings of other protocols, or of a session layer.
var notSync = regexp.MustCompile(`/(72|73|76|17)-`)

var tagged = regexp.MustCompile(`^([A-Z]+[0-9]+) (SYNC(GET|APPLY|RESTORE) )?`)

var literalNext = regexp.MustCompile(`\{[0-9]+\+\}\r\n$`)

// TestReprintCommands: what real clients wrote is read, and printed the same.
func TestReprintCommands(t *testing.T) {
	for _, file := range recordings(t, "*.c2s") {
		if notSync.MatchString(file) {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := plain(t, file)
			got, err := reprintCommands(want)
			if err != nil && err != io.EOF {
				t.Errorf("after %q: %v", tail(got), err)
			}
			compare(t, want, got)
		})
	}
}

func compare(t *testing.T, want, got []byte) {
	t.Helper()
	n := 0
	for n < min(len(want), len(got)) && want[n] == got[n] {
		n++
	}
	if n != len(want) || n != len(got) {
		from := max(0, n-40)
		t.Errorf("differs at octet %d: %q\nwant %q", n, got[from:min(len(got), n+200)], want[from:min(len(want), n+200)])
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-60):] }

// plain reads a recording, its compression undone.
func plain(t *testing.T, file string) []byte {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{"\r\nCOMPRESS DEFLATE\r\n", "\r\nOK DEFLATE active\r\n"} {
		if i := bytes.Index(raw, []byte(mark)); i >= 0 {
			head := raw[: i+len(mark) : i+len(mark)]
			rest, err := io.ReadAll(flate.NewReader(bytes.NewReader(raw[len(head):])))
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return append(head, rest...)
		}
	}
	return raw
}

// reprintCommands reads commands of csync and of IMAP up to the end.
func reprintCommands(in []byte) (out []byte, err error) {
	br := bufio.NewReader(bytes.NewReader(in))
	r := NewReader(Buffered(br), Limits{})
	for {
		head, _ := br.Peek(40)
		m := tagged.FindSubmatch(head)
		var bodies [][]byte
		files := func(f FileLiteral, r io.Reader) error {
			b, err := io.ReadAll(r)
			bodies = append(bodies, b)
			return err
		}
		var cmd *Command
		switch {
		case m != nil && len(m[2]) == 0:
			line, err := br.ReadBytes('\n')
			for err == nil && literalNext.Match(line) {
				out = append(out, line...)
				line, err = br.ReadBytes('\n')
			}
			if out = append(out, line...); err != nil {
				return out, err
			}
			continue
		case m != nil:
			br.Discard(len(m[0]))
			out = append(out, m[0]...)
			cmd, err = r.ReadItem(string(m[3]), files)
		default:
			if cmd, err = r.ReadCommand(true, files); err == nil {
				out = append(out, strings.Join(append([]string{cmd.Verb}, cmd.Args...), " ")...)
				if cmd.Value != nil {
					out = append(out, ' ')
				}
			}
		}
		if err != nil {
			return out, err
		}
		if cmd.Value != nil {
			value, err := reprint(cmd.Verb, cmd.Name, cmd.Value, FromClient, bodies)
			if err != nil {
				return out, fmt.Errorf("%s: %w", cmd.Name, err)
			}
			out = append(append(append(out, cmd.Name...), ' '), value...)
		}
		out = append(out, "\r\n"...)
	}
}

// TestReprintAnswers is the same for servers.
func TestReprintAnswers(t *testing.T) {
	for _, file := range recordings(t, "*.s2c") {
		if notSync.MatchString(file) {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := plain(t, file)
			got, err := reprintAnswers(want)
			if err != nil && err != io.EOF {
				t.Errorf("after %q: %v", tail(got), err)
			}
			compare(t, want, got)
		})
	}
}

// greetings are untagged lines that are no items.
var greetings = regexp.MustCompile(`^\* (SASL|STARTTLS|COMPRESS|SIEVE-MAILBOX|REPLICATION-ARCHIVE|OK|BYE|PARTIAL-UPDATE|CAPABILITY)[ \r]`)

func reprintAnswers(in []byte) (out []byte, err error) {
	br := bufio.NewReader(bytes.NewReader(in))
	r := &responses{src: Buffered(br), limits: DefaultLimits}
	for {
		if head, _ := br.Peek(40); greetings.Match(head) {
			line, err := br.ReadBytes('\n')
			if out = append(out, line...); err != nil {
				return out, err
			}
			continue
		}
		var bodies [][]byte
		item, line, err := r.next(func(f FileLiteral, r io.Reader) error {
			b, err := io.ReadAll(r)
			bodies = append(bodies, b)
			return err
		})
		if err != nil {
			return out, err
		}
		if item == nil {
			out = append(append(out, line...), "\r\n"...)
			continue
		}
		value, err := reprint("", item.Name, item.Value, FromServer, bodies)
		if err != nil {
			return out, fmt.Errorf("%s: %w", item.Name, err)
		}
		out = append(append(append(append(append(out, "* "...), item.Name...), ' '), value...), "\r\n"...)
	}
}

type appender interface {
	Append(dst []byte, form Form) []byte
}

// reprint reads a value as the object of its name and prints it again.
func reprint(verb, name string, value []byte, form Form, bodies [][]byte) ([]byte, error) {
	var a appender
	var err error
	switch name = strings.TrimPrefix(name, "LOCAL_"); name {
	case "MAILBOX":
		a, err = ParseMailbox(value)
	case "QUOTA":
		if verb == Get {
			return reprintText(value, form)
		}
		return reprintQuota(value, form)
	case "ANNOTATION", "UNANNOTATION":
		if verb == Get {
			return reprintText(value, form)
		}
		a, err = ParseMailboxAnnotation(value)
	case "SEEN":
		a, err = ParseSeen(value)
	case "SIEVE":
		if form == FromServer {
			a, err = ParseScript(value)
			break
		}
		a, err = ParseSieve(value)
	case "UNSIEVE", "ACTIVATE_SIEVE", "UNACTIVATE_SIEVE", "FETCH_SIEVE":
		a, err = ParseSieve(value)
	case "RESERVE":
		a, err = ParseReserve(value)
	case "RENAME":
		a, err = ParseRename(value)
	case "EXPUNGE":
		a, err = ParseExpunge(value)
	case "FETCH":
		a, err = ParseFetch(value)
	case "SUB", "UNSUB":
		a, err = ParseSub(value)
	case "MISSING":
		list, err := ParseGUIDs(value)
		return AppendGUIDs(nil, list), err
	case "MESSAGE":
		return reprintFiles(value, form, bodies)
	case "MAILBOXES", "UNIQUEIDS", "CAPABILITIES", "ENABLED", "LSUB":
		list, err := ParseList(value)
		return form.List(list), err
	case "USER", "META", "FULLMAILBOX", "UNMAILBOX", "UNUSER", "UNQUOTA":
		return reprintText(value, form)
	case "FORCE":
		return Empty(), nil
	default:
		return nil, fmt.Errorf("no object %s", name)
	}
	if err != nil {
		return nil, err
	}
	return a.Append(nil, form), nil
}

func reprintText(value []byte, form Form) ([]byte, error) {
	t, err := ParseText(value)
	return form.Text(t), err
}

// reprintQuota prints with the names that value has: servers before 3.10 write
// only the old ones.
func reprintQuota(value []byte, form Form) ([]byte, error) {
	q, err := ParseQuota(value)
	if err != nil {
		return nil, err
	}
	out := q.Append(nil, form)
	for _, key := range []string{"ANNOTATION-STORAGE", "MAILBOX"} {
		if !bytes.Contains(value, []byte(" "+key+" ")) {
			out = regexp.MustCompile(` `+key+` [0-9]+`).ReplaceAll(out, nil)
		}
	}
	return out, nil
}

func reprintFiles(value []byte, form Form, bodies [][]byte) ([]byte, error) {
	list, err := Files(value)
	if err != nil || len(list) != len(bodies) {
		return nil, fmt.Errorf("%d files, %d bodies, %w", len(list), len(bodies), err)
	}
	var out []byte
	for i := range list {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(list[i].AppendHead(out, form), bodies[i]...)
	}
	if value[0] == '(' {
		out = append(append([]byte("("), out...), ')')
	}
	return out, nil
}
