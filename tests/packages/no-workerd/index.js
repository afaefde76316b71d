// what wrangler imports from the real package; the path leads nowhere on purpose
exports.default = "/nonexistent/workerd";
exports.compatibilityDate = "2026-11-17";
exports.version = "0.0.0";
