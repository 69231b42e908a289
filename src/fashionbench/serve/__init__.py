"""The page: an HTTP application, its questions and answers as JSON, its HTML."""
