#include "model/notebook/pickle_value.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using Kind = PickleKind;

auto IsInvalid(absl::string_view why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(why)));
}

// The check of a pickle that `make` makes; it returns the root.
template <typename Make>
absl::Status Check(const Make& make) {
  Pickle pickle;
  pickle.root = make(pickle);
  return CheckPickle(pickle);
}

// The arguments of a tensor [2], each of which a test may replace.
std::vector<PickleId> TensorArguments(Pickle& p) {
  const PickleId storage =
      p.Group(Kind::kStorage, {p.StorageType("FloatStorage"), p.String("0"),
                               p.String("cpu"), p.Int(2)});
  return {storage,
          p.Int(0),
          p.Group(Kind::kTuple, {p.Int(2)}),
          p.Group(Kind::kTuple, {p.Int(1)}),
          p.Bool(false),
          p.Group(Kind::kOrderedDict, {})};
}

TEST(PickleValueTest, FindsWhatADictionaryHas) {
  Pickle p;
  p.root = p.Group(Kind::kDict, {p.Int(1), p.String("one"), p.String("two"),
                                 p.Float(2.0), p.String("none"), p.None()});
  EXPECT_THAT(CheckPickle(p), IsOk());
  ASSERT_NE(p.Find(p[p.root], "two"), nullptr);
  EXPECT_EQ(p.Find(p[p.root], "two")->real, 2.0);
  EXPECT_EQ(p.Find(p[p.root], "none")->kind, Kind::kNone);
  EXPECT_EQ(p.Find(p[p.root], "one"), nullptr);  // a value, not a key
  EXPECT_EQ(p.Find(p[p.root], ""), nullptr);
}

TEST(PickleValueTest, NamesKinds) {
  EXPECT_EQ(PickleKindName(Kind::kNone), "None");
  EXPECT_EQ(PickleKindName(Kind::kInt), "an int");
  EXPECT_EQ(PickleKindName(Kind::kOrderedDict), "an OrderedDict");
  EXPECT_EQ(PickleKindName(Kind::kFunction), "a function");
}

TEST(PickleValueTest, RefusesValuesThatHoldThemselves) {
  EXPECT_THAT(Check([](Pickle& p) {
                const PickleId list = p.Group(Kind::kList, {});
                const PickleId tuple = p.Group(Kind::kTuple, {list});
                p.values[list].items.push_back(tuple);
                return tuple;
              }),
              IsInvalid("a value holds itself"));
  EXPECT_THAT(Check([](Pickle&) { return 0; }), IsInvalid("missing"));
  EXPECT_THAT(Check([](Pickle& p) { return p.Group(Kind::kList, {7}); }),
              IsInvalid("missing"));
}

// A value that lies `depth` deep.
PickleId Nested(Pickle& p, int depth) {
  PickleId id = p.Int(1);
  for (int i = 0; i < depth; ++i) id = p.Group(Kind::kList, {id});
  return id;
}

TEST(PickleValueTest, BoundsHowDeepValuesLie) {
  EXPECT_THAT(Check([](Pickle& p) { return Nested(p, 64); }), IsOk());
  EXPECT_THAT(Check([](Pickle& p) { return Nested(p, 65); }),
              IsInvalid("more than 64 deep"));
  EXPECT_THAT(Check([](Pickle& p) { return Nested(p, 1'000'000); }),
              IsInvalid("more than 64 deep"));
  // Seen first at the top, then at the bottom of something else.
  EXPECT_THAT(Check([](Pickle& p) {
                const PickleId shared = Nested(p, 40);
                PickleId deep = shared;
                for (int i = 0; i < 40; ++i) {
                  deep = p.Group(Kind::kList, {deep});
                }
                return p.Group(Kind::kTuple, {shared, deep});
              }),
              IsInvalid("more than 64 deep"));
}

TEST(PickleValueTest, VisitsAValueOnceHoweverOftenItIsNamed) {
  EXPECT_THAT(Check([](Pickle& p) {
                PickleId id = p.Int(1);
                for (int i = 0; i < 64; ++i) {
                  id = p.Group(Kind::kList, {id, id, id, id});
                }
                return id;  // 4^64 numbers
              }),
              IsOk());
}

TEST(PickleValueTest, RefusesKeysThatAreNoneOrGivenTwice) {
  const auto dict = [](auto... make_key) {
    return Check([&](Pickle& p) {
      std::vector<PickleId> items;
      for (const PickleId key : {make_key(p)...}) {
        items.push_back(key);
        items.push_back(p.None());
      }
      return p.Group(Kind::kDict, items);
    });
  };
  const auto a = [](Pickle& p) { return p.String("a"); };
  const auto b = [](Pickle& p) { return p.String("b"); };
  const auto one = [](Pickle& p) { return p.Int(1); };
  EXPECT_THAT(dict(b, a, one), IsOk());
  EXPECT_THAT(dict(a, b, a), IsInvalid("duplicate key 'a'"));
  EXPECT_THAT(dict(one, a, one), IsInvalid("duplicate key 1"));
  EXPECT_THAT(dict([](Pickle& p) { return p.Float(1); }),
              IsInvalid("a key is a float"));
  EXPECT_THAT(dict([](Pickle& p) { return p.Bool(true); }),
              IsInvalid("a key is a bool"));
  EXPECT_THAT(dict([](Pickle& p) { return p.String(std::string(257, 'k')); }),
              IsInvalid("a key has 257 bytes"));
  EXPECT_THAT(dict([](Pickle& p) { return p.String(std::string(256, 'k')); }),
              IsOk());
  EXPECT_THAT(Check([](Pickle& p) { return p.Group(Kind::kDict, {p.Int(1)}); }),
              IsInvalid("a dict is not made as"));
}

TEST(PickleValueTest, RefusesStringsThatAreNotUtf8) {
  EXPECT_THAT(Check([](Pickle& p) { return p.String("é\U0001f600"); }), IsOk());
  // A surrogate, as Python's "surrogatepass" writes it.
  for (const char* text : {"\xed\xa0\x80", "\xff", "\xc3"}) {
    EXPECT_THAT(Check([&](Pickle& p) { return p.String(text); }),
                IsInvalid("not UTF-8"));
  }
}

TEST(PickleValueTest, RefusesTensorsThatAreNotMadeAsTorchMakesThem) {
  const auto tensor = [](const auto& change) {
    return Check([&](Pickle& p) {
      std::vector<PickleId> arguments = TensorArguments(p);
      change(p, arguments);
      return p.Group(Kind::kTensor, arguments);
    });
  };
  using Arguments = std::vector<PickleId>;
  EXPECT_THAT(tensor([](Pickle&, Arguments&) {}), IsOk());
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(tensor([&](Pickle& p, Arguments& a) { a[i] = p.None(); }),
                IsInvalid("a tensor is not made as"))
        << i;
  }
  EXPECT_THAT(tensor([](Pickle&, Arguments& a) { a.pop_back(); }),
              IsInvalid("a tensor is not made as"));
  EXPECT_THAT(
      tensor([](Pickle& p, Arguments& a) { a[3] = p.Group(Kind::kTuple, {}); }),
      IsInvalid("a tensor is not made as"));
  EXPECT_THAT(tensor([](Pickle& p, Arguments& a) {
                a[2] = a[3] = p.Group(Kind::kTuple, {p.Float(1)});
              }),
              IsInvalid("a tensor is not made as"));
  EXPECT_THAT(tensor([](Pickle& p, Arguments& a) {
                a[2] = a[3] =
                    p.Group(Kind::kTuple, std::vector<PickleId>(65, p.Int(1)));
              }),
              IsInvalid("a tensor is not made as"));
  EXPECT_THAT(
      tensor([](Pickle& p, Arguments& a) { p.values[a[0]].items.pop_back(); }),
      IsInvalid("a storage is not made as"));
  EXPECT_THAT(tensor([](Pickle& p, Arguments& a) {
                p.values[p.values[a[0]].items[0]].text = "Float\nStorage";
              }),
              IsInvalid("a storage type is not made as"));
}

TEST(PickleValueTest, RefusesFunctionsThatAreLeftOver) {
  EXPECT_THAT(Check([](Pickle& p) {
                return p.Add({Kind::kFunction, 0, 0, "os.system", {}});
              }),
              IsInvalid("the function os.system is not called"));
}

}  // namespace
}  // namespace charrnn
