package lessons

import "redial/steps/internal/serve"

// ProvideBundle gives the pinned socket.io.js, which is on no disk in WebAssembly.
func ProvideBundle(bundle []byte) { serve.Provide(bundle) }
