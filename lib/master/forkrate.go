package master

import (
	"math"
	"time"

	"gocyrus/lib/log"
)

// forkPause is how long a socket that forks too fast is left alone.
const forkPause = 400 * time.Millisecond

// forkRate is a decaying average of forks a second; an old second weighs half
// of the one after it.
type forkRate struct {
	max   int // forks a second at which there is a pause; 0 never
	rate  float64
	forks int // since the last look
	since time.Time
}

// limited looks at the average and says whether to wait before the next fork.
func (f *forkRate) limited(now time.Time) bool {
	if f.max == 0 {
		return false
	}
	switch interval := now.Sub(f.since).Seconds(); {
	case interval > 0:
		old := math.Pow(0.5, interval)
		f.rate = old*f.rate + (1-old)*float64(f.forks)/interval
		f.forks, f.since = 0, now
	case interval < 0:
		f.forks, f.since = 0, now
		log.Warning("time of day clock went backwards")
	}
	return int(f.rate) >= f.max
}
