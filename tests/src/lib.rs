//! Black-box suites over a started server.
