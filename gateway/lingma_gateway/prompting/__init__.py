"""The text in which a conversation is put to Lingma."""
