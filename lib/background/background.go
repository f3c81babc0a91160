// Package background puts a program into the background.
//
// A Go program cannot fork. So the program starts itself again with the same
// arguments and a mark in the environment, and the first process waits for the
// second to say that it is ready:
//
//	if !background.Child() {
//		code, err := background.Start(true)
//		... exit with code
//	}
//	... open what may fail
//	background.Report(0)
package background

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// mark is in the environment of the second process.
const mark = "GOCYRUS_BACKGROUND"

// reportFD is where it finds the pipe to the first.
const reportFD = 3

// Failed is the code of a child that ended without a word and without a status
// of its own: EX_OSERR.
const Failed = 71

// Child says whether this is the second process, until it has reported.
func Child() bool { return os.Getenv(mark) != "" }

// Start starts the second process, in a session of its own or in this one's
// process group, and returns what it reported, or the status it ended with
// before that.
func Start(session bool) (code int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, err
	}
	var word [1]byte
	if _, err := io.ReadFull(r, word[:]); err == nil {
		return int(word[0]), nil
	}
	var exit *exec.ExitError
	if errors.As(cmd.Wait(), &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return Failed, nil
}

// Report tells the first process, which then exits, how it went. Only the
// first call does anything, and only in the second process.
func Report(code int) {
	if !Child() {
		return
	}
	os.Unsetenv(mark)
	w := os.NewFile(reportFD, "report")
	w.Write([]byte{byte(code)})
	w.Close()
}
