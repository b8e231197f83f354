// Package browser holds Splitcast for web pages: one script without a build
// step, which the server serves at /sdk/splitcast.js. Its Go part only embeds
// it.
//
//	<script src="https://splitcast.example/sdk/splitcast.js"></script>
//	<script>
//	  const sc = new Splitcast({url: "https://splitcast.example", key: "sk_public", context: {targetingKey: viewer}});
//	  sc.ready.then(() => { if (sc.get("autoplay", false)) player.play(); });
//	</script>
package browser

import _ "embed" // for the script

//go:embed splitcast.js
var script string

// Script returns the text of splitcast.js.
func Script() string { return script }
