#include "dist/coordinator/key_value_store.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;
using ::testing::SizeIs;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

KeyValueStore::Limits SmallLimits() {
  KeyValueStore::Limits limits;
  limits.key_bytes = 4;
  limits.value_bytes = 6;
  limits.total_bytes = 10;
  return limits;
}

// Whether `store` has room for just `bytes` more, and not for one more.
testing::AssertionResult HasRoomFor(KeyValueStore store, size_t bytes) {
  const absl::Status all = store.Set("?", std::string(bytes - 1, 'x'));
  if (!all.ok()) return testing::AssertionFailure() << all;
  const absl::Status more = store.Set("!", "");
  if (more.code() != kResourceExhausted) {
    return testing::AssertionFailure() << "there was more room: " << more;
  }
  return testing::AssertionSuccess();
}

TEST(KeyValueStoreTest, WhatWasSetIsThere) {
  KeyValueStore store;
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(store.Set("a", "1"), IsOk());
  EXPECT_THAT(store.Set("b", ""), IsOk());
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("1"))));
  EXPECT_THAT(store.Get("b"), IsOkAndHolds(Optional(std::string())));
  EXPECT_THAT(store.Set("a", "2"), IsOk());
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("2"))));
  EXPECT_EQ(store.num_keys(), 2);
}

TEST(KeyValueStoreTest, KeysAndValuesMayBeAnyBytes) {
  KeyValueStore store;
  const std::string key("\0\n\xff", 3);
  const std::string value("a\0b\xfe", 4);
  EXPECT_THAT(store.Set(key, value), IsOk());
  EXPECT_THAT(store.Get(key), IsOkAndHolds(Optional(value)));
  EXPECT_THAT(store.Get(key.substr(0, 1)), IsOkAndHolds(Eq(std::nullopt)));
}

TEST(KeyValueStoreTest, CompareSetReplacesOnlyWhatIsExpected) {
  KeyValueStore store;
  ASSERT_THAT(store.Set("a", "1"), IsOk());
  EXPECT_THAT(store.CompareSet("a", "0", "2"), IsOkAndHolds("1"));
  EXPECT_THAT(store.CompareSet("a", "", "2"), IsOkAndHolds("1"));
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("1"))));
  EXPECT_THAT(store.CompareSet("a", "1", "2"), IsOkAndHolds("2"));
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("2"))));
}

TEST(KeyValueStoreTest, CompareSetMakesAKeyIfNothingIsExpected) {
  KeyValueStore store;
  EXPECT_THAT(store.CompareSet("a", "0", "2"), IsOkAndHolds("0"));
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(store.CompareSet("a", "", "2"), IsOkAndHolds("2"));
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("2"))));
  ASSERT_THAT(store.Set("b", ""), IsOk());
  EXPECT_THAT(store.CompareSet("b", "", "3"), IsOkAndHolds("3"));
}

TEST(KeyValueStoreTest, AddCountsFromZeroAndLeavesADecimalNumber) {
  KeyValueStore store;
  EXPECT_THAT(store.Add("n", 0), IsOkAndHolds(0));
  EXPECT_THAT(store.Get("n"), IsOkAndHolds(Optional(std::string("0"))));
  EXPECT_THAT(store.Add("n", 12), IsOkAndHolds(12));
  EXPECT_THAT(store.Add("n", -15), IsOkAndHolds(-3));
  EXPECT_THAT(store.Get("n"), IsOkAndHolds(Optional(std::string("-3"))));
  ASSERT_THAT(store.Set("n", "007"), IsOk());
  EXPECT_THAT(store.Add("n", 1), IsOkAndHolds(8));
}

TEST(KeyValueStoreTest, AddTakesNoValueThatIsNoNumber) {
  KeyValueStore store;
  for (const char* value :
       {"", "x", "1x", " 1", "1 ", "+1", "-", "1.5", "0x1", "--1",
        "9223372036854775808", "-9223372036854775809"}) {
    ASSERT_THAT(store.Set("n", value), IsOk());
    EXPECT_THAT(store.Add("n", 1),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("'n'"), HasSubstr(value))));
    EXPECT_THAT(store.Get("n"), IsOkAndHolds(Optional(std::string(value))));
  }
}

TEST(KeyValueStoreTest, AddGoesToTheEndsOf64BitsAndNoFurther) {
  KeyValueStore store;
  EXPECT_THAT(store.Add("n", kMax), IsOkAndHolds(kMax));
  EXPECT_THAT(store.Add("n", 1),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("'n'")));
  EXPECT_THAT(store.Add("n", 0), IsOkAndHolds(kMax));
  EXPECT_THAT(store.Add("n", kMin), IsOkAndHolds(-1));
  EXPECT_THAT(store.Add("n", kMin), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(store.Add("m", kMin), IsOkAndHolds(kMin));
  EXPECT_THAT(store.Add("m", -1), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(store.Add("m", kMax), IsOkAndHolds(-1));
}

TEST(KeyValueStoreTest, AppendAddsAtTheEnd) {
  KeyValueStore store;
  EXPECT_THAT(store.Append("a", ""), IsOk());
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string())));
  EXPECT_THAT(store.Append("a", "12"), IsOk());
  EXPECT_THAT(store.Append("a", "3"), IsOk());
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("123"))));
}

TEST(KeyValueStoreTest, CheckWantsAllKeys) {
  KeyValueStore store;
  EXPECT_THAT(store.Check({}), IsOkAndHolds(true));
  EXPECT_THAT(store.Check({"a"}), IsOkAndHolds(false));
  ASSERT_THAT(store.Set("a", ""), IsOk());
  EXPECT_THAT(store.Check({"a"}), IsOkAndHolds(true));
  EXPECT_THAT(store.Check({"a", "b"}), IsOkAndHolds(false));
  EXPECT_THAT(store.Check({"b", "a"}), IsOkAndHolds(false));
  ASSERT_THAT(store.Set("b", ""), IsOk());
  EXPECT_THAT(store.Check({"b", "a", "b"}), IsOkAndHolds(true));
}

TEST(KeyValueStoreTest, DeleteTellsWhetherThereWasAKey) {
  KeyValueStore store;
  EXPECT_THAT(store.Delete("a"), IsOkAndHolds(false));
  ASSERT_THAT(store.Set("a", "1"), IsOk());
  EXPECT_THAT(store.Delete("a"), IsOkAndHolds(true));
  EXPECT_THAT(store.Delete("a"), IsOkAndHolds(false));
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_EQ(store.num_keys(), 0);
}

TEST(KeyValueStoreTest, ClearLeavesNothingAndAllRoom) {
  KeyValueStore store(SmallLimits());
  ASSERT_THAT(store.Set("a", "123456"), IsOk());
  ASSERT_THAT(store.Set("b", "12"), IsOk());
  store.Clear();
  EXPECT_EQ(store.num_keys(), 0);
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(store.Set("a", "12"), IsOk());
  EXPECT_TRUE(HasRoomFor(store, 7));
}

// The statuses of each call with the key `key`.
std::vector<absl::Status> EachCallWith(const std::string& key) {
  KeyValueStore store(SmallLimits());
  return {store.Set(key, "1"), store.Get(key).status(),
          store.CompareSet(key, "1", "1").status(), store.Add(key, 1).status(),
          store.Append(key, "1"), store.Check({key}).status(),
          // Also behind one that is missing.
          store.Check({"?", key}).status(), store.Delete(key).status()};
}

TEST(KeyValueStoreTest, EveryCallRefusesAKeyThatIsEmptyOrTooLong) {
  for (const absl::Status& status : EachCallWith("1234")) {
    EXPECT_THAT(status, IsOk());
  }
  for (const absl::Status& status : EachCallWith("")) {
    EXPECT_THAT(status, StatusIs(kInvalidArgument, HasSubstr("empty")));
  }
  for (const absl::Status& status : EachCallWith("12345")) {
    EXPECT_THAT(status, StatusIs(kInvalidArgument,
                                 HasSubstr("'12345' has 5 bytes, over 4")));
  }
}

TEST(KeyValueStoreTest, EveryCallRefusesAValueThatIsTooLong) {
  KeyValueStore store(SmallLimits());
  EXPECT_THAT(store.Set("a", "1234567"),
              StatusIs(kInvalidArgument, HasSubstr("7 bytes, over 6")));
  EXPECT_THAT(store.Append("a", "1234567"), StatusIs(kInvalidArgument));
  EXPECT_THAT(store.CompareSet("a", "", "1234567"), StatusIs(kInvalidArgument));
  EXPECT_THAT(store.CompareSet("a", "1234567", ""), StatusIs(kInvalidArgument));
  EXPECT_THAT(store.Add("a", 1234567), StatusIs(kInvalidArgument));
  EXPECT_EQ(store.num_keys(), 0);

  EXPECT_THAT(store.Set("a", "123456"), IsOk());
  EXPECT_THAT(store.CompareSet("a", "123456", "654321"),
              IsOkAndHolds("654321"));
  // Whether it would be set or not.
  EXPECT_THAT(store.CompareSet("a", "x", "1234567"),
              StatusIs(kInvalidArgument));
  EXPECT_THAT(store.Append("a", ""), IsOk());
  EXPECT_THAT(store.Append("a", "7"), StatusIs(kInvalidArgument));
  EXPECT_THAT(store.Add("a", 345678), IsOkAndHolds(999999));
  EXPECT_THAT(store.Add("a", 1), StatusIs(kInvalidArgument));
  EXPECT_THAT(store.Get("a"), IsOkAndHolds(Optional(std::string("999999"))));
}

TEST(KeyValueStoreTest, TheLimitsAreThoseOfItsHeader) {
  KeyValueStore store;
  const std::string key(512, 'k');
  const std::string value(1 << 20, 'v');
  EXPECT_THAT(store.Set(key, value), IsOk());
  EXPECT_THAT(store.Set(key + "k", ""), StatusIs(kInvalidArgument));
  EXPECT_THAT(store.Set(key, value + "v"), StatusIs(kInvalidArgument));
  // Filled up but for as many bytes as a last key and its value take.
  const std::string less(value.size() - 512, 'v');
  for (int i = 1; i < 63; ++i) {
    ASSERT_THAT(store.Set(absl::StrCat(std::string(509, 'k'), 100 + i), less),
                IsOk());
  }
  EXPECT_EQ(store.num_keys(), 63);
  EXPECT_TRUE(HasRoomFor(store, (1 << 20) - 512));
}

TEST(KeyValueStoreTest, AllTogetherMayTakeJustTheLimit) {
  KeyValueStore store(SmallLimits());
  EXPECT_THAT(store.Set("a", "123"), IsOk());
  EXPECT_THAT(store.Set("bc", "1234"), IsOk());
  EXPECT_THAT(store.Set("d", ""),
              StatusIs(kResourceExhausted,
                       AllOf(HasSubstr("'d'"), HasSubstr("11 bytes, over 10"),
                             Not(HasSubstr("\n")))));
  EXPECT_THAT(store.Set("a", "1234"), StatusIs(kResourceExhausted));
  EXPECT_THAT(store.Append("a", "4"), StatusIs(kResourceExhausted));
  EXPECT_THAT(store.Add("a", 877), StatusIs(kResourceExhausted));
  EXPECT_THAT(store.Add("d", 1), StatusIs(kResourceExhausted));
  EXPECT_THAT(store.CompareSet("a", "123", "1234"),
              StatusIs(kResourceExhausted));
  EXPECT_THAT(store.CompareSet("d", "", "1"), StatusIs(kResourceExhausted));
  // What does not grow is welcome.
  EXPECT_THAT(store.Set("a", "321"), IsOk());
  EXPECT_THAT(store.Append("a", ""), IsOk());
  EXPECT_THAT(store.Add("a", 1), IsOkAndHolds(322));
  EXPECT_THAT(store.CompareSet("a", "322", "223"), IsOkAndHolds("223"));
  EXPECT_THAT(store.CompareSet("a", "x", "1234"), IsOkAndHolds("223"));
  // A refusal has changed nothing.
  EXPECT_EQ(store.num_keys(), 2);
  EXPECT_THAT(store.Get("bc"), IsOkAndHolds(Optional(std::string("1234"))));
}

TEST(KeyValueStoreTest, OverwritingAppendingAndDeletingGiveRoomAsTheyShould) {
  KeyValueStore store(SmallLimits());
  ASSERT_THAT(store.Set("ab", "123"), IsOk());
  EXPECT_TRUE(HasRoomFor(store, 5));
  ASSERT_THAT(store.Set("ab", "12345"), IsOk());
  EXPECT_TRUE(HasRoomFor(store, 3));
  ASSERT_THAT(store.Set("ab", ""), IsOk());
  ASSERT_THAT(store.Append("ab", "1"), IsOk());
  ASSERT_THAT(store.Append("ab", "23"), IsOk());
  EXPECT_TRUE(HasRoomFor(store, 5));
  ASSERT_THAT(store.Add("ab", -23), IsOkAndHolds(100));
  ASSERT_THAT(store.Add("ab", -93), IsOkAndHolds(7));
  ASSERT_THAT(store.Append("ab", "654"), IsOk());
  EXPECT_TRUE(HasRoomFor(store, 4));
  ASSERT_THAT(store.CompareSet("ab", "7654", "76"), IsOkAndHolds("76"));
  EXPECT_TRUE(HasRoomFor(store, 6));
  ASSERT_THAT(store.Set("cde", "1"), IsOk());
  ASSERT_THAT(store.Delete("ab"), IsOkAndHolds(true));
  ASSERT_THAT(store.Delete("ab"), IsOkAndHolds(false));
  EXPECT_TRUE(HasRoomFor(store, 6));
}

TEST(KeyValueStoreTest, ErrorsAreOneShortLineWhateverTheKeyIs) {
  KeyValueStore store;
  EXPECT_THAT(
      store.Set(std::string(600, '\n'), "").message(),
      AllOf(Not(HasSubstr("\n")), SizeIs(testing::Le(400)), HasSubstr("600")));
}

// The same calls on a map, with the limits of small stores.
class Model {
 public:
  explicit Model(const KeyValueStore::Limits& limits) : limits_(limits) {}

  absl::StatusCode Put(const std::string& key, const std::string& value) {
    if (value.size() > limits_.value_bytes) return kInvalidArgument;
    std::map<std::string, std::string> after = values;
    after[key] = value;
    size_t bytes = 0;
    for (const auto& [k, v] : after) bytes += k.size() + v.size();
    if (bytes > limits_.total_bytes) return kResourceExhausted;
    values = after;
    return absl::StatusCode::kOk;
  }

  std::map<std::string, std::string> values;

 private:
  const KeyValueStore::Limits limits_;
};

// Makes the `which`th kind of call on both and expects the same of both;
// returns the model's outcome.
absl::StatusCode CallBoth(int which, const std::string& key,
                          const std::string& value, int64_t amount,
                          KeyValueStore& store, Model& model) {
  const bool there = model.values.count(key) > 0;
  const std::string now = there ? model.values[key] : "";
  absl::StatusCode code = absl::StatusCode::kOk;
  switch (which) {
    case 0:
      code = model.Put(key, value);
      EXPECT_EQ(store.Set(key, value).code(), code);
      break;
    case 1:
      // The value may be too long by itself.
      code = value.size() > 6 ? kInvalidArgument : model.Put(key, now + value);
      EXPECT_EQ(store.Append(key, value).code(), code);
      break;
    case 2: {
      code = model.Put(key, value);
      const auto result = store.CompareSet(key, now, value);
      EXPECT_EQ(result.status().code(), code);
      EXPECT_EQ(result.value_or(value), value);
      break;
    }
    case 3: {
      code = value.size() > 6 ? kInvalidArgument : code;
      const auto result = store.CompareSet(key, "other", value);
      EXPECT_EQ(result.status().code(), code);
      EXPECT_EQ(result.value_or("other"), there && result.ok() ? now : "other");
      break;
    }
    case 4: {
      int64_t sum = 0;
      if (there && !absl::SimpleAtoi(now, &sum)) {
        code = absl::StatusCode::kFailedPrecondition;
      } else {
        sum += amount;
        code = model.Put(key, absl::StrCat(sum));
      }
      const auto result = store.Add(key, amount);
      EXPECT_EQ(result.status().code(), code);
      EXPECT_EQ(result.value_or(sum), sum);
      break;
    }
    default:
      EXPECT_THAT(store.Delete(key), IsOkAndHolds(there));
      model.values.erase(key);
  }
  return code;
}

TEST(KeyValueStoreTest, DoesAsAMapWouldWhateverTheCalls) {
  KeyValueStore::Limits limits;
  limits.key_bytes = 4;
  limits.value_bytes = 6;
  limits.total_bytes = 24;
  KeyValueStore store(limits);
  Model model(limits);
  std::mt19937 random(1);
  const auto draw = [&](int n) { return static_cast<int>(random() % n); };
  std::map<absl::StatusCode, int> outcomes;
  for (int i = 0; i < 50000; ++i) {
    const std::string key(1 + draw(4), static_cast<char>('a' + draw(3)));
    const std::string value(draw(8), static_cast<char>('0' + draw(2)));
    SCOPED_TRACE(absl::StrCat("call ", i, ", ", key, ", ", value));
    ++outcomes[CallBoth(draw(6), key, value, draw(2000) - 1000, store, model)];
    ASSERT_EQ(store.num_keys(), static_cast<int64_t>(model.values.size()));
    for (const auto& [k, v] : model.values) {
      ASSERT_THAT(store.Get(k), IsOkAndHolds(Optional(v)));
    }
    ASSERT_FALSE(HasFailure());
  }
  // OK, InvalidArgument, ResourceExhausted, FailedPrecondition: each of them
  // many times.
  EXPECT_THAT(outcomes, SizeIs(4));
  for (const auto& [code, times] : outcomes) {
    EXPECT_GT(times, 500) << absl::StatusCodeToString(code);
  }
}

}  // namespace
}  // namespace charrnn
