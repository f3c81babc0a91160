package drain

import (
	"context"
	"sync"
	"time"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/proxy"
)

// Picker chooses servers as frontends do for new mailboxes (serverlist_select_mode), by
// the room that they say they have at the moment.
type Picker struct {
	opts *proxy.Options

	mu  sync.Mutex
	set *imapproxy.Set
}

// answerLimit is how long a server may take to say how much room it has.
const answerLimit = 30 * time.Second

// NewPicker asks in the name of proxy_authname, on connections that Close ends.
func NewPicker(ctx context.Context, o *proxy.Options) *Picker {
	return &Picker{opts: o, set: imapproxy.NewSet(ctx, o, "", answerLimit, nil)}
}

// Pick chooses one of servers. The error is proxy.ErrUnavailable where none can be asked.
func (p *Picker) Pick(_ context.Context, servers []string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := *p.opts
	o.Servers = servers
	return proxy.NewChooser(&o).Pick(p.space)
}

func (p *Picker) space(server, entry string) (proxy.Space, bool) {
	c, err := p.set.Get(server)
	if err != nil {
		return proxy.Space{}, false
	}
	defer p.set.Put(c)
	return c.Space(p.set.Tag(), entry, nil)
}

// Close ends the connections.
func (p *Picker) Close() { p.set.Close() }
