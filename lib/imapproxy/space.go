package imapproxy

import "gocyrus/lib/proxy"

// Space asks the backend how much room it has; entry is the annotation that says it
// (proxy.Mode.Entry). ok is false where it does not say.
func (c *Conn) Space(tag, entry string, relay *Relay) (space proxy.Space, ok bool) {
	if c.Send(tag, `GETMETADATA "" ("`+entry+`")`) != nil {
		return space, false
	}
	reply, err := c.Collect(tag, "METADATA", relay, func(line []byte) error {
		if value, found := ParseMetadata(line); found {
			space, ok = proxy.ParseSpace(value)
		}
		return nil
	})
	return space, ok && err == nil && reply.OK()
}
