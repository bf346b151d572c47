import Custody
import Wire

/// What reports and stories tell of a conversation that is over: a small part of it, because a
/// capture of days has very many.
struct MQTTPastConversation {
  let record: SessionRecord
  let client: MQTTConversation.Departure?
  let server: MQTTConversation.Departure?
  let takenOver: Moment?
  /// How often bytes to the client were repeated since it last acknowledged any, and when last.
  let repetitions: Int
  let lastRepetition: Moment?

  var name: String { record.subscriber }

  /// Nothing of the conversation may change any more.
  init(_ conversation: MQTTConversation) {
    var record = conversation.record
    record.evidenceMissing = conversation.evidenceMissing
    record.messages = conversation.messageCounts
    if let ending = conversation.ending ?? conversation.takenOver {
      record.ended = RecordedMoment(ending)
    }
    self.record = record
    client = conversation.client
    server = conversation.server
    takenOver = conversation.takenOver
    repetitions = conversation.transport.repetitions
    lastRepetition = conversation.transport.lastRepetition
  }
}
