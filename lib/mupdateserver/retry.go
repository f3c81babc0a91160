package mupdateserver

import (
	"errors"
	"math/rand/v2"
	"time"
)

// retry is how long a slave waits between two connections.
//
// With one master that is mupdate_retry_delay, as Cyrus has it. With several the
// next one is tried at once; when all have failed, after a second, which doubles up
// to mupdate_retry_delay as long as they do.
type retry struct {
	masters int
	delay   time.Duration

	failed int // masters since the last that was good
	rounds int
}

// steady is how long a connection has to last for its master to have been good:
// another that ends as soon as all has been read is not to be had at once.
const steady = 5 * time.Second

// firstDelay is how long a slave with several masters waits at first.
const firstDelay = time.Second

// errNoMaster is the error of a slave that none of its masters lets in.
var errNoMaster = errors.New("couldn't connect to mupdate server")

// after is how long to wait after a connection that was in sync for so long and
// ended with err.
func (r *retry) after(lasted time.Duration, err error) time.Duration {
	if r.masters < 2 {
		return retryAfter(r.delay)
	}
	if lasted >= steady {
		r.failed, r.rounds = 0, 0
	}
	r.failed++
	if r.failed < r.masters && !errors.Is(err, errNoMaster) {
		return 0
	}
	r.failed = 0
	pause := min(r.delay, firstDelay<<min(r.rounds, 16))
	r.rounds++
	return retryAfter(pause)
}

// retryAfter is how long to wait: once to one and a half times d, so that not
// all slaves come back at the same moment.
func retryAfter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d + rand.N(d/2)
}

// How long a slave with several masters lets one of them be silent before it asks
// whether it is there, and then for an answer; and in the middle of a list.
const (
	severalPing  = 5 * time.Second
	severalStall = 30 * time.Second
)

// ping is how long a master may be silent before it is asked.
func (s *slave) ping() time.Duration {
	d := s.opts.RetryDelay // Cyrus's interval too
	if d < time.Second {
		d = 20 * time.Second
	}
	if s.opts.Several() {
		d = min(d, severalPing)
	}
	return d
}

// stall is how long a master may be silent while it dumps its list.
func (s *slave) stall() time.Duration {
	if s.opts.Several() {
		return severalStall
	}
	return 2 * time.Minute
}
