package cyradm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Shell carries out commands.
type Shell struct {
	Out, Err io.Writer
	Env      func(string) string // os.Getenv

	// Login is how the commands server and authenticate log in where they are
	// not told otherwise.
	Login Login
	Port  string // of the command server

	admin *Admin // nil without a server
}

// exitError ends the shell.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// lineReader is where commands come from. The error is io.EOF at the end.
type lineReader interface {
	Line(prompt string) (string, error)
}

// Connect makes the shell's session with a server, without logging in.
func (s *Shell) Connect(ctx context.Context, host, port string) error {
	a, err := Dial(ctx, host, port)
	if err != nil {
		return err
	}
	s.Close()
	a.Notice = func(text string) { fmt.Fprintln(s.Out, text) }
	s.admin = a
	return nil
}

// Authenticate logs in to the server.
func (s *Shell) Authenticate(ctx context.Context) error {
	return s.admin.Authenticate(ctx, s.Login)
}

// Close ends the session, if there is one.
func (s *Shell) Close() {
	if s.admin != nil {
		s.admin.Close()
		s.admin = nil
	}
}

// prompt is the server's name.
func (s *Shell) prompt() string {
	if s.admin == nil {
		return "cyradm> "
	}
	return s.admin.Name() + "> "
}

// Script runs the commands of in, echoing each after the prompt. Failures do
// not end it. The status is for the process, when exited.
func (s *Shell) Script(in io.Reader) (status int, exited bool) {
	return s.run(&script{bufio.NewReader(in), s.Out})
}

// maxLine bounds a command, in octets.
const maxLine = 1 << 20

// script reads lines as readline(3) does of what is no terminal: prompt and
// command are seen, as if typed.
type script struct {
	in  *bufio.Reader
	out io.Writer
}

func (r *script) Line(prompt string) (string, error) {
	io.WriteString(r.out, prompt)
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine:
			continue
		case err != nil && !(errors.Is(err, io.EOF) && len(line) > 0):
			return "", err
		}
		text := strings.TrimSuffix(string(line), "\n")
		fmt.Fprintln(r.out, text)
		return text, nil
	}
}

func (s *Shell) run(r lineReader) (status int, exited bool) {
	for {
		line, err := r.Line(s.prompt())
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintf(s.Err, "cyradm: %v\n", err)
			}
			return 0, false
		}
		var exit exitError
		if errors.As(s.Exec(line), &exit) {
			return exit.code, true
		}
	}
}

// Exec carries out one line, and prints what goes wrong. The error is the last
// command's.
func (s *Shell) Exec(line string) error {
	if strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
		return nil
	}
	cmds, err := split(line, s.Env)
	if err != nil {
		fmt.Fprintln(s.Err, err)
		return err
	}
	for _, cmd := range cmds {
		var exit exitError
		if err = s.exec(cmd); errors.As(err, &exit) {
			return err
		}
	}
	return err
}

// exec carries out one command in its redirections.
func (s *Shell) exec(cmd simple) error {
	f, err := s.open(cmd.redirs)
	defer f.close()
	if err != nil {
		fmt.Fprintln(s.Err, err)
		return err
	}
	if len(cmd.words) == 0 {
		return nil
	}
	out := bufio.NewWriter(f.writer(1))
	err = s.command(&call{shell: s, name: cmd.words[0], args: cmd.words[1:], out: out, errOut: f.writer(2)})
	if ferr := out.Flush(); err == nil && ferr != nil {
		err = ferr
	}
	var exit exitError
	if err != nil && !errors.As(err, &exit) {
		s.complain(f.writer(2), err)
	}
	return err
}

// complain prints what went wrong. A connection that is lost is told of once,
// and is no longer there.
func (s *Shell) complain(w io.Writer, err error) {
	if errors.Is(err, ErrLost) {
		fmt.Fprintln(w, "\nConnection to server lost.")
		s.Close()
		return
	}
	fmt.Fprintln(w, err)
}

// files are the descriptors of a command.
type files struct {
	w      map[int]io.Writer
	opened []*os.File
}

func (f *files) writer(fd int) io.Writer {
	if w := f.w[fd]; w != nil {
		return w
	}
	return io.Discard
}

func (f *files) close() {
	for _, o := range f.opened {
		o.Close()
	}
}

// open opens a command's files, left to right as sh does.
func (s *Shell) open(redirs []redirect) (*files, error) {
	f := &files{w: map[int]io.Writer{1: s.Out, 2: s.Err}}
	for _, r := range redirs {
		if r.dup {
			if err := f.dup(r); err != nil {
				return f, err
			}
			continue
		}
		mode := map[string]int{"<": os.O_RDONLY, ">": os.O_WRONLY | os.O_CREATE | os.O_TRUNC,
			">>": os.O_WRONLY | os.O_CREATE | os.O_APPEND}[r.op]
		o, err := os.OpenFile(r.target, mode, 0o666)
		if err != nil {
			return f, plain(err)
		}
		f.opened = append(f.opened, o)
		if r.op != "<" {
			f.w[r.fd] = o
		}
	}
	return f, nil
}

func (f *files) dup(r redirect) error {
	if r.target == "-" {
		delete(f.w, r.fd)
		return nil
	}
	if len(r.target) != 1 || r.target[0] < '0' || r.target[0] > '9' {
		return fmt.Errorf("invalid file descriptor `%s'", r.target)
	}
	w := f.w[int(r.target[0]-'0')]
	if w == nil && r.op != "<" {
		return fmt.Errorf("file descriptor `%s' not open", r.target)
	}
	if r.op != "<" {
		f.w[r.fd] = w
	}
	return nil
}

// plain leaves the name of the system call out of an error's text.
func plain(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		text := pe.Err.Error()
		return fmt.Errorf("%s: %s", pe.Path, strings.ToUpper(text[:1])+text[1:])
	}
	return err
}
