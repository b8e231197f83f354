package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// publicOrigin checks Config.PublicURL and returns it as an origin: scheme and
// host, nothing behind them. It returns experiment.CodeInvalid for another one.
func publicOrigin(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", experiment.Invalidf("public-url", "%q is not the address of a server: https://host", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// overTLS reports whether people reach the server by https.
func overTLS(origin string) bool { return strings.HasPrefix(origin, "https://") }

// address returns where people reach this server: as its operator says, else as
// the reader of the page found it.
func (s *Server) address(r *http.Request) string {
	switch {
	case s.publicURL != "":
		return s.publicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
