package server

import "net/http"

// CORS lets players on any page call OFREP: credentials are API keys in
// headers, never cookies, so the origin proves nothing. It answers preflight
// requests itself; mount it before the check of API keys, because browsers
// send no key with a preflight and hide a 401 without these headers.
func (o *OFREP) CORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, Date")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, X-API-Key, Content-Type, If-None-Match, Last-Event-ID, Cache-Control")
		h.Set("Access-Control-Max-Age", "7200") // the longest that Chromium honours
		w.WriteHeader(http.StatusNoContent)
	})
}
