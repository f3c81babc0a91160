package etcdtable

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// firstTry is how long a member may take: short, for what one has handed to a leader
// that then died it waits for in vain. When all have been asked each gets laterTry,
// for etcd may be slow.
const (
	firstTry = time.Second
	laterTry = 2 * time.Second
)

// pause is how long to wait before an operation is tried again.
const pause = 20 * time.Millisecond

// persist tries an operation, which may be done twice, at one member after the other
// until it succeeds or its time is over. The error is ErrAway, or one of this package
// that fn returns.
func (t *Table) persist(ctx context.Context, fn func(context.Context, *clientv3.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	for n := 0; ; n++ {
		limit := firstTry
		if n >= len(t.opts.Servers) {
			limit = laterTry
		}
		c, err := t.members.asked()
		if err == nil {
			err = try(ctx, c.Client, limit, fn)
		}
		if err == nil || ours(err) {
			return err
		}
		if !passing(err) {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		if c.Client != nil {
			t.members.leave(c.number)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrAway, err)
		case <-time.After(pause):
		}
	}
}

func try(ctx context.Context, c *clientv3.Client, limit time.Duration, fn func(context.Context, *clientv3.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return fn(ctx, c)
}

// ours says whether err is an answer, and not that of a failure.
func ours(err error) bool {
	for _, known := range []error{ErrNoTable, ErrFounding, ErrCompacted, ErrFounded, ErrRubbish, ErrUnwanted, errTooMuch} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// passing says whether a failure may be over soon, or be one of this member alone.
func passing(err error) bool {
	switch code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unimplemented, codes.FailedPrecondition:
		return false
	}
	return true
}

// code is that of an error of gRPC, or of the client's own.
func code(err error) codes.Code {
	var e interface{ Code() codes.Code }
	if errors.As(err, &e) {
		return e.Code()
	}
	return status.Code(err)
}
