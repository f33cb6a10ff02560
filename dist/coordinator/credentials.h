#ifndef CHARRNN_DIST_COORDINATOR_CREDENTIALS_H_
#define CHARRNN_DIST_COORDINATOR_CREDENTIALS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// By what a coordinator and those who call it trust each other. Each file's
// content, in PEM; empty: none.
struct Credentials {
  // A secret of the job that every call carries; empty: whoever comes is let
  // in.
  std::string token;
  // A server's certificate chain and its key. Without them nothing is
  // encrypted.
  std::string tls_cert;
  std::string tls_key;
  // Those who have signed the server's certificate. A client that has none
  // calls without encryption.
  std::string tls_ca;
};

// The name of the metadata that carries the token. It is metadata and no call
// credential, because gRPC drops those in silence where there is no TLS.
inline constexpr char kTokenKey[] = "charrnn-token";

// A random one, 32 hexadecimal digits.
std::string RandomToken();

// Whether they are equal, in a time that tells nothing of where they differ.
bool SameSecret(absl::string_view a, absl::string_view b);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_CREDENTIALS_H_
