package mupdate

import (
	"errors"
	"fmt"
)

// ErrBye is the error of a server that takes leave.
var ErrBye = errors.New("the mupdate server said BYE")

// Refusal is an answer other than OK. It is ErrRefused, and the error that its
// text stands for.
type Refusal struct {
	Kind Kind
	Text string
}

func (e *Refusal) Error() string {
	return fmt.Sprintf("%v: %s", ErrRefused, e.Text)
}

// Is makes the answers of a master the errors of this package.
func (e *Refusal) Is(target error) bool {
	switch target {
	case ErrRefused:
		return true
	case ErrExists, ErrNotFound, ErrNotActive:
		return e.Kind == NO && e.Text == target.Error()
	}
	return false
}

// ConnError is the error of a connection that broke, or was given up: whether
// the command was carried out is not known.
type ConnError struct{ Err error }

func (e *ConnError) Error() string { return "connection to the mupdate server: " + e.Err.Error() }

// Unwrap is the reason.
func (e *ConnError) Unwrap() error { return e.Err }
