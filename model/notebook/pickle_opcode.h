#ifndef CHARRNN_MODEL_NOTEBOOK_PICKLE_OPCODE_H_
#define CHARRNN_MODEL_NOTEBOOK_PICKLE_OPCODE_H_

// The opcodes of Python's pickles that a checkpoint is made of; the names are
// those of Python's pickletools, which tells what each does.

#include <cstdint>
#include <string>

namespace charrnn {

enum class PickleOpcode : uint8_t {
  kAppend = 'a',
  kAppends = 'e',
  kBinFloat = 'G',
  kBinGet = 'h',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kBinPersId = 'Q',
  kBinPut = 'q',
  kBinUnicode = 'X',
  kBuild = 'b',
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kFrame = 0x95,
  kGlobal = 'c',
  kLong1 = 0x8a,
  kLongBinGet = 'j',
  kLongBinPut = 'r',
  kMark = '(',
  kMemoize = 0x94,
  kNewFalse = 0x89,
  kNewTrue = 0x88,
  kNone = 'N',
  kProto = 0x80,
  kReduce = 'R',
  kSetItem = 's',
  kSetItems = 'u',
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kStop = '.',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
};

// What pickletools calls the opcode `code`, those that no checkpoint needs
// included: "INST"; "0xff" where none has that code.
std::string PickleOpcodeName(uint8_t code);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_PICKLE_OPCODE_H_
