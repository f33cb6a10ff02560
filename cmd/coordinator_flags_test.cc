#include "cmd/coordinator_flags.h"

#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/membership.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

class CoordinatorFlagsTest : public testing::Test {
 protected:
  static absl::Status Parse(const std::vector<std::string>& flags) {
    std::vector<const char*> arguments = {"coordinator"};
    for (const std::string& flag : flags) arguments.push_back(flag.c_str());
    return ParseCommandLine(static_cast<int>(arguments.size()),
                            arguments.data(), {"coordinator", "", ""})
        .status();
  }

  static absl::StatusOr<JobOptions> Job(const std::vector<std::string>& flags,
                                        int num_hosts = 1) {
    const absl::FlagSaver saver;
    if (absl::Status status = Parse(flags); !status.ok()) return status;
    return JobFlags(num_hosts);
  }

  static absl::StatusOr<Credentials> Read(
      const std::vector<std::string>& flags) {
    const absl::FlagSaver saver;
    if (absl::Status status = Parse(flags); !status.ok()) return status;
    return CredentialsFromFlags(*FileSystem::Real());
  }

  std::string File(absl::string_view name, absl::string_view text) const {
    std::string path = folder_.File(name);
    EXPECT_THAT(WriteFileAtomically(*FileSystem::Real(), path, text), IsOk());
    return path;
  }

  const TempDirectory folder_;

 private:
  const absl::FlagSaver saver_;
};

TEST_F(CoordinatorFlagsTest, WithoutFlagsAJobHasTheHostsThatALauncherHas) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const JobOptions job, Job({}, 3));
  EXPECT_EQ(job.min_hosts, 3);
  EXPECT_EQ(job.max_hosts, 3);
  EXPECT_EQ(job.join_window, absl::Seconds(30));
  EXPECT_EQ(job.collective_timeout, absl::Seconds(10));
}

TEST_F(CoordinatorFlagsTest, HostsAreANumberOrARange) {
  struct Range {
    const char* text;
    int min, max;
  };
  for (const Range& range :
       {Range{"1", 1, 1}, Range{"4", 4, 4}, Range{"1:4", 1, 4},
        Range{"3:3", 3, 3}, Range{"2:65536", 2, 65536}}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const JobOptions job, Job({absl::StrCat("--nnodes=", range.text)}, 2));
    EXPECT_EQ(job.min_hosts, range.min) << range.text;
    EXPECT_EQ(job.max_hosts, range.max) << range.text;
  }
}

TEST_F(CoordinatorFlagsTest, HostsThatAreNoRangeAreRefused) {
  for (const char* text :
       {"0", "-1", "x", "2x", "1.5", "2:1", "0:2", ":", ":2", "2:", "1:2:3",
        "1-2", "65537", "1:65537", "1:99999999999"}) {
    const std::string flag = absl::StrCat("--nnodes=", text);
    EXPECT_THAT(Job({flag}),
                StatusIs(kInvalid, AllOf(StartsWith(flag + ": must be "),
                                         HasSubstr("MIN:MAX"))));
  }
}

TEST_F(CoordinatorFlagsTest, TimesAreTakenOver) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const JobOptions job,
      Job({"--join_window=1m30s", "--collective_timeout=500ms"}));
  EXPECT_EQ(job.join_window, absl::Seconds(90));
  EXPECT_EQ(job.collective_timeout, absl::Milliseconds(500));
}

TEST_F(CoordinatorFlagsTest, TimesThatMakeNoSenseAreRefused) {
  for (const char* flag : {"--join_window=", "--collective_timeout="}) {
    for (const char* value : {"0", "-1s", "24h", "inf"}) {
      EXPECT_THAT(Job({absl::StrCat(flag, value)}),
                  StatusIs(kInvalid, AllOf(StartsWith(flag),
                                           HasSubstr("less than 24h"))));
    }
    for (const char* value : {"", "5", "soon"}) {
      EXPECT_THAT(Job({absl::StrCat(flag, value)}),
                  StatusIs(kInvalid, StartsWith(absl::StrCat(flag, value))));
    }
  }
}

TEST_F(CoordinatorFlagsTest, AMemberMayReturnLaterThanOthersFallSilent) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const JobOptions job,
      Job({"--nnodes=2:5", "--join_window=7s", "--collective_timeout=20s"}));
  const Membership::Options options = job.ForMembership();
  EXPECT_EQ(options.min_hosts, 2);
  EXPECT_EQ(options.max_hosts, 5);
  EXPECT_EQ(options.join_window, absl::Seconds(7));
  EXPECT_EQ(options.return_deadline, absl::Seconds(25));
}

TEST_F(CoordinatorFlagsTest, WithoutFilesThereAreNoCredentials) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Credentials credentials, Read({}));
  EXPECT_EQ(credentials.token, "");
  EXPECT_EQ(credentials.tls_ca, "");
  EXPECT_EQ(credentials.tls_cert, "");
  EXPECT_EQ(credentials.tls_key, "");
}

TEST_F(CoordinatorFlagsTest, CredentialsAreReadEachFromItsFile) {
  // A token without the line's end, with which editors write it; certificates
  // as they are.
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Credentials credentials,
      Read({absl::StrCat("--token_file=", File("token", " open sesame\r\n")),
            absl::StrCat("--tls_ca=",
                         File("ca", "-----BEGIN CERTIFICATE-----\nca\n")),
            absl::StrCat("--tls_cert=", File("cert", "the\ncert\n")),
            absl::StrCat("--tls_key=", File("key", "the\nkey\n"))}));
  EXPECT_EQ(credentials.token, "open sesame");
  EXPECT_EQ(credentials.tls_ca, "-----BEGIN CERTIFICATE-----\nca\n");
  EXPECT_EQ(credentials.tls_cert, "the\ncert\n");
  EXPECT_EQ(credentials.tls_key, "the\nkey\n");
}

TEST_F(CoordinatorFlagsTest, AFileThatHasNothingIsRefused) {
  for (const char* flag :
       {"--token_file", "--tls_ca", "--tls_cert", "--tls_key"}) {
    for (const char* text : {"", " \n\n"}) {
      const std::string path = File("file", text);
      EXPECT_THAT(Read({absl::StrCat(flag, "=", path)}),
                  StatusIs(kInvalid, absl::StrCat(flag, ": ", path,
                                                  ": the file is empty")));
    }
  }
}

TEST_F(CoordinatorFlagsTest, AFileThatCannotBeReadIsNamed) {
  for (const char* flag :
       {"--token_file", "--tls_ca", "--tls_cert", "--tls_key"}) {
    const std::string absent = folder_.File("absent");
    EXPECT_THAT(Read({absl::StrCat(flag, "=", absent)}),
                StatusIs(absl::StatusCode::kNotFound,
                         StartsWith(absl::StrCat(flag, ": ", absent, ": "))));
    const auto folder = Read({absl::StrCat(flag, "=", folder_.path())});
    ASSERT_FALSE(folder.ok());
    EXPECT_EQ(ExitCode(folder.status().code()), 2);
    EXPECT_THAT(std::string(folder.status().message()),
                AllOf(StartsWith(absl::StrCat(flag, ": ", folder_.path())),
                      HasSubstr("directory")));
  }
}

TEST_F(CoordinatorFlagsTest, ATokenIsOnePrintableLine) {
  for (const std::string& token :
       {std::string("one\ntwo\n"), std::string("a\tb"), std::string("a\0b", 3),
        std::string("caf\xc3\xa9")}) {
    EXPECT_THAT(Read({absl::StrCat("--token_file=", File("token", token))}),
                StatusIs(kInvalid, AllOf(StartsWith("--token_file: "),
                                         HasSubstr("one line"))));
  }
}

TEST_F(CoordinatorFlagsTest, AnAddressIsAHostAndAPort) {
  for (const char* address :
       {"127.0.0.1:0", "head:65535", "[::1]:29400", "0.0.0.0:1"}) {
    EXPECT_THAT(CheckAddress("listen", address), IsOk()) << address;
  }
  for (const char* address :
       {"", "head", ":1", "head:", "head:x", "head:-1", "head:65536"}) {
    EXPECT_THAT(CheckAddress("listen", address),
                StatusIs(kInvalid, StartsWith(absl::StrCat("--listen=", address,
                                                           ": must be "))));
  }
}

TEST_F(CoordinatorFlagsTest, OnLoopbackNothingIsAskedFor) {
  for (const char* address :
       {"127.0.0.1:0", "127.9.9.9:29400", "localhost:29400", "[::1]:29400"}) {
    EXPECT_THAT(CheckExposure(address, Credentials()), IsOk()) << address;
  }
}

TEST_F(CoordinatorFlagsTest, OffLoopbackTlsAndATokenAreAskedFor) {
  Credentials both;
  both.token = "token";
  both.tls_cert = "cert";
  both.tls_key = "key";
  Credentials no_token = both;
  no_token.token.clear();
  Credentials no_tls = both;
  no_tls.tls_cert.clear();
  Credentials only_a_client;
  only_a_client.token = "token";
  only_a_client.tls_ca = "ca";
  for (const char* address : {"0.0.0.0:29400", "10.0.0.1:1", "[::]:29400"}) {
    EXPECT_THAT(CheckExposure(address, both), IsOk());
    for (const Credentials& credentials :
         {Credentials(), no_token, no_tls, only_a_client}) {
      EXPECT_THAT(
          CheckExposure(address, credentials),
          StatusIs(absl::StatusCode::kFailedPrecondition,
                   AllOf(StartsWith(absl::StrCat(address, ": ")),
                         HasSubstr("--tls_cert"), HasSubstr("--token_file"),
                         HasSubstr("--insecure"))));
    }
  }
}

TEST_F(CoordinatorFlagsTest, WhoSaysSoIsExposedWithoutThem) {
  ASSERT_THAT(Parse({"--insecure"}), IsOk());
  EXPECT_THAT(CheckExposure("0.0.0.0:29400", Credentials()), IsOk());
}

}  // namespace
}  // namespace charrnn
